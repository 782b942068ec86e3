import { constants, type Dirent, type Stats } from 'node:fs'
import { access, opendir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { partsOf } from '../checkpoint/gguf/open.ts'
import type { FoundModel, FoundModels } from '../contract/index.ts'
import { inspectAdapter } from '../lora/read-peft.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { mayRead } from '../shared/allowed-folders.ts'
import { badFile, failureOf } from '../shared/errors.ts'
import { modelName } from '../shared/model-name.ts'
import { sum } from '../shared/sum.ts'
import { explained } from '../shared/system-errors.ts'
import type { WorkControl } from '../shared/work-control.ts'

/** Levels of folders, and folders in all, that are looked through; names of one folder that are read. */
const mostDepth = 8
const mostFolders = 20_000
const mostNames = 100_000
/** What cannot be used is named so often, and counted beyond. */
const mostUnusable = 20
/** Milliseconds after a change in which a file may still be on its way. */
const settling = 60_000
/** Folders of systems and programs, in which nobody keeps models. */
const passedOver = /^(\..*|node_modules|__pycache__|lost\+found|\$RECYCLE\.BIN|System Volume Information)$/i

/** What was found of files that are as they were, by their states: a later look opens what has changed alone. */
const known = new Map<string, FoundModel | { reason: string }>()

interface Waiting {
  folder: string
  depth: number
}

/**
 * Finds the models in a folder and below it: folders of Hugging Face, GGUF files, PEFT adapters. Links to folders are
 * followed to where files may be opened, each folder once, wherever it is met.
 *
 * @throws SecateurError where the folder itself cannot be read
 */
export async function findModels(
  { folder: given }: { folder: string },
  { signal, progress }: WorkControl,
): Promise<FoundModels> {
  const found = new Finds()
  let root: string
  try {
    root = await realpath(given)
    await access(root, constants.R_OK)
  } catch (error) {
    throw explained(given, error)
  }
  if (!mayRead(root)) throw badFile(given, undefined, 'lies outside the folders that may be used here')
  const waiting: Waiting[] = [{ folder: root, depth: 0 }]
  const seen = new Set([root])
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    signal.throwIfAborted()
    if (found.folders.length === mostFolders) {
      found.truncated = true
      break
    }
    for (const folder of await lookThrough(next, found)) {
      if (seen.has(folder) || !mayRead(folder)) continue
      seen.add(folder)
      if (next.depth < mostDepth) waiting.push({ folder, depth: next.depth + 1 })
      else found.truncated = true
    }
    progress(found.folders.length, found.folders.length + waiting.length)
  }
  return found.report
}

/** @returns real paths of the folders in it that are to be looked through as well */
async function lookThrough({ folder, depth }: Waiting, found: Finds): Promise<string[]> {
  let modifiedMs: number
  const names: string[] = []
  const folders: string[] = []
  try {
    modifiedMs = (await stat(folder)).mtimeMs
    for await (const entry of await opendir(folder, { bufferSize: 1024 })) {
      if (names.length + folders.length === mostNames) {
        found.truncated = true
        break
      }
      if (passedOver.test(entry.name)) continue
      const real = await folderBehind(folder, entry)
      if (real === null) names.push(entry.name)
      else folders.push(real)
    }
  } catch {
    // Of another user, or gone meanwhile: there is nothing in it for this one.
    return []
  }
  found.folders.push({ path: folder, modifiedMs })
  // What a run writes is in the library by itself, and parts of a pipeline are no models of their own.
  if (names.includes('run.json') || names.includes('model_index.json')) return []
  for (const name of names) if (isFirstPart(name)) await found.gguf(join(folder, name))
  const isAdapter = names.includes('adapter_config.json') && !names.includes('config.json')
  const isModel =
    names.includes('config.json') && names.some((name) => /\.(safetensors|bin)(\.index\.json)?$/.test(name))
  if (isAdapter || isModel) {
    await found.folder(folder, names, isAdapter)
    // Other forms of the same model lie in its folders. The first folder may be a repository and hold others.
    if (depth > 0) return []
  }
  return folders
}

/** The real path of a folder, or of the one that a link leads to; null of anything else. */
async function folderBehind(parent: string, entry: Dirent): Promise<string | null> {
  const path = join(parent, entry.name)
  if (entry.isDirectory()) return path
  if (!entry.isSymbolicLink()) return null
  try {
    const real = await realpath(path)
    return (await stat(real)).isDirectory() ? real : null
  } catch {
    return null
  }
}

/** Whether it is a GGUF file that stands for itself, or for its other parts. */
function isFirstPart(name: string): boolean {
  const [, part] = /-(\d{5})-of-\d{5}\.gguf$/i.exec(name) ?? []
  return /\.gguf$/i.test(name) && (part === undefined || part === '00001')
}

class Finds {
  readonly folders: FoundModels['folders'] = []
  truncated = false
  readonly #models: FoundModel[] = []
  readonly #unusable: FoundModels['unusable'] = []
  #unusableCount = 0
  #unsettled = false

  get report(): FoundModels {
    return {
      models: this.#models,
      unusable: this.#unusable,
      unusableCount: this.#unusableCount,
      folders: this.folders,
      truncated: this.truncated,
      unsettled: this.#unsettled,
    }
  }

  async gguf(path: string): Promise<void> {
    await this.#take(
      path,
      () => partsOf(path),
      (bytes) => ({ ...checkpointFacts(path), path, name: modelName(path), format: 'gguf', bytes }),
    )
  }

  async folder(path: string, names: readonly string[], isAdapter: boolean): Promise<void> {
    const files = () => names.map((name) => join(path, name))
    const facts = { path, name: modelName(path), format: 'safetensors' } as const
    await this.#take(path, files, (bytes) =>
      isAdapter
        ? { ...facts, kind: 'adapter', family: 'adapter', parameters: inspectAdapter(path).parameters, bytes }
        : { ...facts, ...checkpointFacts(path), bytes },
    )
  }

  /** Looks into what has changed since it was looked into last. */
  async #take(path: string, files: () => string[], look: (bytes: number) => FoundModel): Promise<void> {
    // Headers are read at once: other requests are answered in between.
    await setImmediate()
    let states: Stats[] = []
    try {
      states = await statesOf(files())
      const key = [path, ...states.map(({ size, mtimeMs }) => `${size} ${mtimeMs}`)].join('\n')
      const before = known.get(key)
      const now = before ?? tried(() => look(sum(states.map(({ size }) => size))))
      known.set(key, now)
      if ('path' in now) this.#models.push(now)
      else this.#note(path, now.reason, states)
    } catch (error) {
      this.#note(path, failureOf(error).message, states)
    }
  }

  #note(path: string, reason: string, states: readonly Stats[]): void {
    this.#unusableCount++
    if (this.#unusable.length < mostUnusable) this.#unusable.push({ path, reason })
    const newest = Math.max(0, ...states.map(({ mtimeMs }) => mtimeMs))
    if (Date.now() - newest < settling) this.#unsettled = true
  }
}

const checkpointFacts = (path: string): Pick<FoundModel, 'kind' | 'family' | 'parameters'> => {
  using checkpoint = openCheckpoint(path)
  return { kind: 'checkpoint', family: checkpoint.config.family, parameters: checkpoint.parameters }
}

function tried(look: () => FoundModel): FoundModel | { reason: string } {
  try {
    return look()
  } catch (error) {
    return { reason: failureOf(error).message }
  }
}

async function statesOf(paths: readonly string[]): Promise<Stats[]> {
  const states: Stats[] = []
  for (const path of paths) {
    const state = await stat(path).catch(() => null)
    if (state?.isFile()) states.push(state)
  }
  return states
}
