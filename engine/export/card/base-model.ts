import { copyFileSync, existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
import { isGgufFile } from '../../checkpoint/gguf/file.ts'
import { openGguf } from '../../checkpoint/gguf/open.ts'
import { SecateurError } from '../../shared/errors.ts'
import { readSmallFile } from '../../shared/files.ts'
import { readFrontMatter } from './front-matter.ts'
import { type License, licenseOfText } from './license.ts'

/** What a model card says of the model that another one was made from. */
export interface BaseModel {
  /** For a person: its id on the Hub where that is known, or the name of its card or folder. */
  name: string
  /** Id on the Hub, of the model itself or, where only that is known, of the one that it was made from in turn. */
  id: string | null
  license: License | null
  /** The file that says so. */
  licenseFrom: string | null
  languages: readonly string[]
  /** Texts of licences and notices in its folder, by name. */
  licenseFiles: readonly string[]
  hasCard: boolean
  /** Whether Secateur made it; and then how it comes from `id`, where that is said. */
  isOurs: boolean
  relation: 'finetune' | null
  /** What the card that Secateur wrote for it says of how it was made and what it scored: sections of Markdown. */
  history: readonly string[]
}

export const cardName = 'README.md'
/** The tag of a card that Secateur wrote. */
export const ownTag = 'secateur'
const mostBytes = 2 ** 20
export const idOfHub = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/
const licenseFile = /^(licen[cs]e|copying|notice|use_policy)([-._ ].*)?$/i
const mostFiles = 20

/**
 * What a checkpoint says of its name and licence: a GGUF file in its keys, a folder in its model card, config.json or licence
 * text, in this order. A file that cannot be read says nothing.
 *
 * @param source config.json
 */
export const baseModelOf = (checkpoint: string, source: Readonly<Record<string, unknown>>): BaseModel =>
  isGgufFile(checkpoint) ? baseInGguf(checkpoint) : baseInFolder(checkpoint, source)

function baseInFolder(folder: string, source: Readonly<Record<string, unknown>>): BaseModel {
  const card = textIn(folder, cardName)
  const fields = readFrontMatter(card ?? '')
  const one = (name: string) => fields.get(name)?.[0]
  const isOurs = fields.get('tags')?.includes(ownTag) ?? false
  const own = [source['_name_or_path'], idOfCache(folder)].find(
    (text) => typeof text === 'string' && idOfHub.test(text),
  )
  const id = isOurs ? undefined : (own as string | undefined)
  const licenseFiles = licenseFilesIn(folder)
  const fromCard = one('license')
  const fromConfig = source['license']
  const text = licenseFiles.find((name) => /^(licen[cs]e|copying)/i.test(name))
  const found: [License, string] | null =
    fromCard !== undefined
      ? [{ id: fromCard, name: one('license_name'), link: one('license_link') }, cardName]
      : typeof fromConfig === 'string' && /^[\w.-]{1,60}$/.test(fromConfig)
        ? [{ id: fromConfig }, 'config.json']
        : text !== undefined
          ? [licenseOfText(textIn(folder, text) ?? '', text), text]
          : null
  const title = isOurs ? /^# (.+)$/m.exec(card ?? '')?.[1] : undefined
  return {
    name: oneLine(id ?? title ?? folderName(folder)),
    id: id ?? fields.get('base_model')?.find((model) => idOfHub.test(model)) ?? null,
    license: found?.[0] ?? null,
    licenseFrom: found?.[1] ?? null,
    languages: languagesOf(fields.get('language') ?? []),
    licenseFiles,
    hasCard: card !== null,
    isOurs,
    relation: isOurs && one('base_model_relation') === 'finetune' ? 'finetune' : null,
    history: isOurs ? historyIn(card!) : [],
  }
}

/** Files that hold the keys of GGUF say the same in fields of their own (gguf.md of ggml, "general metadata"). */
function baseInGguf(path: string): BaseModel {
  const { keys, files } = openGguf(path)
  for (const file of files) file.close()
  const text = (name: string) => quietly(() => keys.text(`general.${name}`)) || undefined
  const isOurs = text('quantized_by')?.startsWith('Secateur ') ?? false
  const id = ['base_model.0.repo_url', 'repo_url', 'source.repo_url', 'source.huggingface.repository']
    .map((name) => text(name)?.replace(/^https:\/\/huggingface\.co\//, ''))
    .find((found) => found !== undefined && idOfHub.test(found))
  const license = text('license')
  const description = text('description')
  return {
    name: oneLine(text('name') ?? folderName(path)),
    id: id ?? null,
    license: license === undefined ? null : licenseOf(license, text('license.name'), text('license.link')),
    licenseFrom: license === undefined ? null : 'key general.license',
    languages: languagesOf(quietly(() => keys.texts('general.languages')) ?? []),
    licenseFiles: [],
    hasCard: false,
    isOurs,
    relation: null,
    history: isOurs && description !== undefined ? [description.slice(0, mostHistory)] : [],
  }
}

/** A licence is named as the Hub names it, or in words of its own. */
const licenseOf = (id: string, name: string | undefined, link: string | undefined): License =>
  /^[\w.-]{1,60}$/.test(id)
    ? { id, ...(name !== undefined && { name: oneLine(name) }), ...(link !== undefined && { link: oneLine(link) }) }
    : { id: 'other', name: oneLine(id), ...(link !== undefined && { link: oneLine(link) }) }

/** A key of another type than it has elsewhere is one that says nothing of the licence. */
function quietly<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof SecateurError) return undefined
    throw error
  }
}

/** Characters of what is repeated. */
const mostHistory = 8000

/** What comes first in a card of ours, and the scores: what a card of what is made from it repeats. */
function historyIn(card: string): string[] {
  const [, body] = /^# .*\n+([^]*)$/m.exec(card) ?? []
  const sections = (body ?? '').split(/^(?=## )/m).map((section) => section.trim())
  const [intro] = sections
  const scores = sections.find((section) => section.startsWith('## Scores'))
  return [intro, scores].filter((part) => part !== undefined && part !== '').map((part) => part!.slice(0, mostHistory))
}

const languagesOf = (codes: readonly string[]): string[] =>
  codes.filter((code) => /^[\w-]{1,20}$/.test(code)).slice(0, 200)

/** Copies the texts of licences into a folder that is being written. */
export function copyLicenses(from: string, { licenseFiles }: BaseModel, to: string): void {
  for (const name of licenseFiles) copyFileSync(join(from, name), join(to, name))
}

function textIn(folder: string, name: string): string | null {
  if (!existsSync(join(folder, name))) return null
  try {
    return readSmallFile(join(folder, name), mostBytes).toString('utf8')
  } catch {
    // A card that nobody can read must not end the hours of work that it was to describe.
    return null
  }
}

function licenseFilesIn(folder: string): string[] {
  if (!statSync(folder).isDirectory()) return []
  // In the Hub's cache every file is a link into blobs/; any other link out of the folder is not followed.
  const home = realpathSync(idOfCache(folder) === undefined ? folder : dirname(dirname(resolve(folder))))
  return readdirSync(folder)
    .filter((name) => {
      if (!licenseFile.test(name)) return false
      const stat = statSync(join(folder, name), { throwIfNoEntry: false })
      if (!stat?.isFile() || stat.size > mostBytes) return false
      return realpathSync(join(folder, name)).startsWith(home + sep)
    })
    .sort()
    .slice(0, mostFiles)
}

/** Folders of the Hub's own cache are models--OWNER--NAME/snapshots/COMMIT. */
function idOfCache(folder: string): string | undefined {
  const parts = resolve(folder).split(/[\\/]/)
  const [, owner, name] = /^models--(.+?)--(.+)$/.exec(parts.at(-3) ?? '') ?? []
  return parts.at(-2) === 'snapshots' && owner !== undefined && name !== undefined ? `${owner}/${name}` : undefined
}

/** A run's output is called output: its run says what it is. */
function folderName(folder: string): string {
  const path = resolve(folder)
  return basename(path) === 'output' ? basename(dirname(path)) : basename(path, '.gguf')
}

/** Text of a file in a line of ours. */
const oneLine = (text: string): string =>
  text
    .replaceAll(/[\p{C}`<>|]+/gu, ' ')
    .trim()
    .slice(0, 120)
