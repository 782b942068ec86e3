import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { SecateurError } from '../shared/errors.ts'
import { createFolderAtomically, writeJson } from '../shared/files.ts'
import { firstNonFinite } from '../checkpoint/check-finite.ts'
import { toConfigJson } from './registry.ts'
import { convert } from '../checkpoint/dtype.ts'
import { expectedTensors } from './tensors.ts'
import type { ModelConfig } from './model-config.ts'
import type { StoredTensor, WeightType } from '../tensor/stored-tensor.ts'
import { bytesPerValue, elementsOf, type PlannedTensor } from '../checkpoint/safetensors-header.ts'
import { SafetensorsWriter } from '../checkpoint/safetensors-writer.ts'
import { indexName, singleName } from '../checkpoint/weight-files.ts'
import { isGgufFile } from '../checkpoint/gguf/file.ts'
import { ggufCompanions } from '../tokenizer/companions.ts'

export interface WriteCheckpointOptions {
  config: ModelConfig
  /** The type of all weights in the files. */
  dtype: WeightType
  /** Every tensor of `expectedTensors(config)` once, in any order; one is held at a time. Other types are converted. */
  tensors: Iterable<StoredTensor> | AsyncIterable<StoredTensor>
  /** Folder whose tokenizer, generation settings and preprocessing of images are copied, or GGUF file whose tokenizer is written. */
  tokenizerFrom?: string | undefined
  /** Writes what else belongs into the folder, such as a model card, before it has its name. */
  beside?: ((folder: string) => void | Promise<void>) | undefined
  /** Largest size of one file's tensors in bytes (default 5 GB, as transformers has it); a larger tensor gets its own. */
  maxShardBytes?: number | undefined
  /** Metadata of the safetensors files, besides `format`. */
  metadata?: Record<string, string> | undefined
  /** What a user can do where a weight is too large for `dtype`. */
  ifTooLarge?: string | undefined
  /** Stops the writing between two tensors; nothing is left of it then. */
  signal?: AbortSignal | undefined
  /** Bytes of tensors written, and to write in all. */
  onProgress?: ((done: number, total: number) => void) | undefined
}

const companions = [
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'chat_template.json',
  'generation_config.json',
  'preprocessor_config.json',
]

/**
 * Writes a Hugging Face folder: sharded safetensors with their index, config.json, tokenizer files. The whole folder
 * appears at once, complete and synced, or not at all. Errors: the folder holds something already; the disk is full; a
 * weight is not finite in `dtype`.
 */
export async function writeCheckpoint(folder: string, options: WriteCheckpointOptions): Promise<void> {
  const { config, dtype, tensors, tokenizerFrom, signal, onProgress } = options
  const shards = planShards(config, dtype, options.maxShardBytes ?? 5e9)
  const total = shards.flat().reduce((sum, tensor) => sum + bytesOf(tensor), 0)
  await createFolderAtomically(folder, async (temporary) => {
    using writers = new ShardWriters(temporary, shards, { format: 'pt', ...options.metadata })
    let done = 0
    for await (const tensor of tensors) {
      const converted = convert(tensor, dtype)
      checkWritable(folder, tensor, converted, options.ifTooLarge ?? 'write bfloat16 or float32')
      writers.write(converted)
      onProgress?.((done += converted.bytes.length), total)
      // Gigabytes take a while, in which a stop must still be heard.
      await setImmediate()
      signal?.throwIfAborted()
    }
    writers.finish()
    if (shards.length > 1) writeIndex(temporary, shards, total)
    writeJson(join(temporary, 'config.json'), toConfigJson(config, dtype))
    if (tokenizerFrom !== undefined) copyCompanions(tokenizerFrom, temporary)
    await options.beside?.(temporary)
  })
}

const bytesOf = ({ dtype, shape }: PlannedTensor) => elementsOf(shape) * bytesPerValue(dtype)

function planShards(config: ModelConfig, dtype: WeightType, maxShardBytes: number): PlannedTensor[][] {
  const shards: PlannedTensor[][] = [[]]
  let filled = 0
  for (const [name, shape] of expectedTensors(config)) {
    const tensor = { name, dtype, shape }
    if (filled > 0 && filled + bytesOf(tensor) > maxShardBytes) {
      shards.push([])
      filled = 0
    }
    shards.at(-1)!.push(tensor)
    filled += bytesOf(tensor)
  }
  return shards
}

const padded = (part: number) => String(part).padStart(5, '0')

function shardName(index: number, shards: number): string {
  return shards === 1 ? singleName : `model-${padded(index + 1)}-of-${padded(shards)}.safetensors`
}

class ShardWriters {
  readonly #writers: SafetensorsWriter[] = []
  readonly #writerOf = new Map<string, SafetensorsWriter>()

  constructor(folder: string, shards: readonly PlannedTensor[][], metadata: Record<string, string>) {
    try {
      for (const [index, shard] of shards.entries()) {
        const writer = new SafetensorsWriter(join(folder, shardName(index, shards.length)), shard, metadata)
        this.#writers.push(writer)
        for (const { name } of shard) this.#writerOf.set(name, writer)
      }
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  write(tensor: StoredTensor): void {
    const writer = this.#writerOf.get(tensor.name)
    if (!writer) throw new Error(`tensor ${tensor.name} is not part of the model that is written`)
    writer.write(tensor)
  }

  finish(): void {
    for (const writer of this.#writers) writer.finish()
  }

  [Symbol.dispose](): void {
    for (const writer of this.#writers) writer.close()
  }
}

/** A checkpoint with a broken number in it is never written. */
function checkWritable(folder: string, given: StoredTensor, converted: StoredTensor, ifTooLarge: string): void {
  if (firstNonFinite(converted) === -1) return
  const where = { file: folder, field: given.name }
  throw firstNonFinite(given) === -1
    ? new SecateurError('unsupported', `has numbers too large for ${converted.dtype}: ${ifTooLarge}`, where)
    : new SecateurError('unsupported', 'has become NaN or infinite; nothing was written', where)
}

function writeIndex(folder: string, shards: readonly PlannedTensor[][], total: number): void {
  const places = shards.flatMap((shard, index) => shard.map(({ name }) => [name, shardName(index, shards.length)]))
  writeJson(join(folder, indexName), { metadata: { total_size: total }, weight_map: Object.fromEntries(places) })
}

/** Copies tokenizer, generation settings and preprocessing of a checkpoint. */
export function copyCompanions(from: string, to: string): void {
  if (isGgufFile(from)) {
    for (const [name, document] of Object.entries(ggufCompanions(from))) writeJson(join(to, name), document)
    return
  }
  for (const name of companions) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name))
  }
}
