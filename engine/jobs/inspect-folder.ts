import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { partsOf } from '../checkpoint/gguf/open.ts'
import type { AdapterInspection, CheckpointInspection, Inspection, ParsedServiceParams } from '../contract/index.ts'
import { checkpointWarnings } from '../estimate/job-warnings.ts'
import { inspectAdapter } from '../lora/peft.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { familyOf } from '../models/registry.ts'
import { badFile, failureOf } from '../shared/errors.ts'
import { explained } from '../shared/system-errors.ts'
import { chatTemplate } from '../tokenizer/tokenizer-files.ts'
import { loadTokenizer } from '../tokenizer/tokenizer.ts'
import { headerFacts } from './inspect.ts'

/** What a folder is: a checkpoint, or a PEFT adapter. No weight is read. */
export async function inspectFolder({ checkpoint: folder }: ParsedServiceParams<'inspect'>): Promise<Inspection> {
  const gguf = isGgufFile(folder)
  const files = gguf ? statesOf(partsOf(folder)) : filesOf(folder)
  const has = (name: string) => files.some((file) => file.name === name)
  if (has('adapter_config.json') && !has('config.json')) {
    return { kind: 'adapter', folder, ...inspectAdapter(folder), files }
  }
  using checkpoint = openCheckpoint(folder)
  const { config } = checkpoint
  const { source } = config
  const named = Array.isArray(source['architectures']) ? (source['architectures'] as unknown[])[0] : undefined
  return {
    kind: 'checkpoint',
    folder: checkpoint.folder,
    format: gguf ? 'gguf' : 'safetensors',
    architecture: typeof named === 'string' ? named : familyOf(config).architecture,
    ...headerFacts(checkpoint),
    tokenizer: await tokenizerOf(folder, gguf ? 'gguf' : (['tokenizer.json', 'tokenizer.model'] as const).find(has)),
    warnings: await checkpointWarnings(checkpoint),
    files,
  }
}

async function tokenizerOf(
  folder: string,
  kind: 'tokenizer.json' | 'tokenizer.model' | 'gguf' | undefined,
): Promise<CheckpointInspection['tokenizer']> {
  if (!kind) return null
  try {
    const { vocabularySize } = await loadTokenizer(folder)
    return { kind, vocabulary: vocabularySize, chatTemplate: (await chatTemplate(folder)) !== null }
  } catch (error) {
    return { error: failureOf(error) }
  }
}

function filesOf(folder: string): AdapterInspection['files'] {
  try {
    if (!statSync(folder).isDirectory())
      throw badFile(folder, undefined, 'is a file, and no GGUF file; give the folder that holds it')
    return statesOf(
      readdirSync(folder)
        .sort()
        .map((name) => join(folder, name)),
    )
  } catch (error) {
    throw explained(folder, error)
  }
}

const statesOf = (paths: readonly string[]): AdapterInspection['files'] =>
  paths.flatMap((path) => {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat?.isFile() ? [{ name: basename(path), bytes: stat.size, modifiedMs: stat.mtimeMs }] : []
  })
