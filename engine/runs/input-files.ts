import { existsSync, statSync } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { filesOfCheckpoint } from '../checkpoint/hash.ts'
import { isImageName } from '../data/image-files.ts'
import { isImageList, openImageSet } from '../data/images/image-set.ts'
import { filesBesideTask } from '../evaluation/files-beside.ts'
import { mmluFiles } from '../evaluation/read-mmlu.ts'
import { tokenizerFileNames } from '../models/model-tokenizer.ts'
import { SecateurError } from '../shared/errors.ts'
import { fileStamp } from '../shared/file-stamp.ts'
import { runFiles } from './run-files.ts'

/** A file that is read of what a setting names. */
export interface InputFile {
  /** Its path within that, with slashes; its own name where the setting names the file itself. */
  name: string
  path: string
  bytes: number
  /** What changes with it, on this computer. */
  stamp: unknown
}

/** Settings that name a checkpoint or an adapter. */
const checkpointSettings: ReadonlySet<string> = new Set(['checkpoint', 'teacher', 'compareWith', 'adapter'])
export const namesCheckpoint = (setting: string): boolean => checkpointSettings.has(setting)

/** What is read of a checkpoint's folder beside its weights and its config. */
const besideWeights = [...tokenizerFileNames, 'generation_config.json', 'preprocessor_config.json']

/** Folders below the first that are looked into. */
const deepest = 5

/**
 * The files that a run reads of what a setting names, in the order of their names: of a checkpoint weights, configs and
 * tokenizer; of a task file the data, labels and solved examples beside it; of a list of images the images; of a folder
 * of data everything that may be data, but no run folders.
 *
 * @param setting as `evaluation.tasks.piqa`
 * @throws SecateurError or what the system says, where files cannot be looked at
 */
export async function inputFiles(setting: string, path: string, signal: AbortSignal): Promise<InputFile[]> {
  if (namesCheckpoint(setting)) return await ofCheckpoint(path)
  if ((await stat(path)).isDirectory()) return await ofFolder(path, signal)
  const beside = setting.startsWith('evaluation.') ? besideTask(setting, path) : []
  const listed = (await isImageList(path)) ? (await openImageSet(path, 'train', signal)).images : []
  const others = [...beside, ...listed.map(({ file }) => file)]
  return await withSizes(dirname(path), [basename(path), ...others.map((file) => relative(dirname(path), file))])
}

async function ofCheckpoint(path: string): Promise<InputFile[]> {
  const { folder, files } = await filesOfCheckpoint(path)
  const beside = isGgufFile(path) ? [] : besideWeights.filter((name) => existsSync(join(folder, name)))
  return await withSizes(folder, [...files.map(({ name }) => name), ...beside])
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

/** What is read beside a task file, where there is any of it. */
function besideTask(setting: string, file: string): string[] {
  const solved = setting === 'evaluation.tasks.mmlu' ? mmluExamples(file) : []
  return [...filesBesideTask(file), ...solved].filter(isFile)
}

function mmluExamples(file: string): string[] {
  try {
    return mmluFiles(file, 'dev')
  } catch (error) {
    if (error instanceof SecateurError) return []
    throw error
  }
}

/** Whether a file may be one of those that data sets are made of. */
const isData = (name: string): boolean =>
  isImageName(name) || /\.(txt|lst|csv|json|jsonl|ndjson|parquet)(\.gz)?$/i.test(name)

async function ofFolder(folder: string, signal: AbortSignal): Promise<InputFile[]> {
  const names: string[] = []
  const walk = async (inner: string, depth: number): Promise<void> => {
    signal.throwIfAborted()
    if (existsSync(join(folder, inner, runFiles.run))) return
    for await (const entry of await opendir(join(folder, inner), { bufferSize: 512 })) {
      if (entry.name.startsWith('.')) continue
      const name = inner === '' ? entry.name : `${inner}/${entry.name}`
      if (entry.isDirectory() && depth < deepest) await walk(name, depth + 1)
      else if (!entry.isDirectory() && isData(entry.name)) names.push(name)
    }
  }
  await walk('', 0)
  return await withSizes(folder, names, signal)
}

/** Files that are looked at before other work has its turn. */
const atOnce = 500

/** @param names within the folder; one that comes twice counts once */
async function withSizes(folder: string, names: readonly string[], signal?: AbortSignal): Promise<InputFile[]> {
  const files: InputFile[] = []
  for (const name of [...new Set(names)].sort()) {
    const path = join(folder, name)
    const found = statSync(path)
    files.push({ name: name.replaceAll('\\', '/'), path, bytes: found.size, stamp: [path, ...fileStamp(found)] })
    if (files.length % atOnce === 0) await setImmediate()
    signal?.throwIfAborted()
  }
  return files
}
