import { copyFileSync, existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve, sep } from 'node:path'
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
}

export const cardName = 'README.md'
const mostBytes = 2 ** 20
const idOfHub = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/
const licenseFile = /^(licen[cs]e|copying|notice|use_policy)([-._ ].*)?$/i
const mostFiles = 20

/**
 * What the folder of a checkpoint says of its name and licence: in its model card, config.json or licence text, in this
 * order. A file that cannot be read says nothing.
 *
 * @param source config.json
 */
export function baseModelOf(folder: string, source: Readonly<Record<string, unknown>>): BaseModel {
  const card = textIn(folder, cardName)
  const fields = readFrontMatter(card ?? '')
  const one = (name: string) => fields.get(name)?.[0]
  const isOurs = fields.get('tags')?.includes('secateur') ?? false
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
    languages: (fields.get('language') ?? []).filter((code) => /^[\w-]{1,20}$/.test(code)).slice(0, 200),
    licenseFiles,
    hasCard: card !== null,
  }
}

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
