// Prints the README's table of what pruning takes: the engine's own estimate, of checkpoints that are headers alone.
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { layOut } from '../engine/checkpoint/safetensors-header.ts'
import { pruneSchema } from '../engine/contract/index.ts'
import { estimateJob } from '../engine/estimate/estimate.ts'
import { targetOf } from '../engine/pruning/job-target.ts'
import { openCheckpoint } from '../engine/models/checkpoint.ts'
import { parseConfig } from '../engine/models/registry.ts'
import { expectedTensors } from '../engine/models/tensors.ts'

const llama = { model_type: 'llama', vocab_size: 32_000, max_position_embeddings: 4096 }
/** Llama 3.2 1B, and Llama 2 7B and 13B, as their config.json describes them. */
const models = {
  '1B': {
    ...llama,
    vocab_size: 128_256,
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 16,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    tie_word_embeddings: true,
  },
  '7B': { ...llama, hidden_size: 4096, intermediate_size: 11_008, num_hidden_layers: 32, num_attention_heads: 32 },
  '13B': { ...llama, hidden_size: 5120, intermediate_size: 13_824, num_hidden_layers: 40, num_attention_heads: 40 },
}
/** How the frozen weights are held: as a checkpoint has them, or in 8 bits with --int8. */
const ways = [
  { title: 'float32', dtype: 'float32', int8: false },
  { title: 'float16 or bfloat16', dtype: 'float16', int8: false },
  { title: '8 bits', dtype: 'float16', int8: true },
] as const

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`

const folder = mkdtempSync(join(tmpdir(), 'secateur-memory-'))
try {
  const titles = ways.map(({ title }) => title)
  console.log(`| model | parameters | ${titles.join(' | ')} | disk for the result |`)
  console.log(`| --- ${'| ---: '.repeat(titles.length + 2)}|`)
  for (const [name, config] of Object.entries(models)) console.log(rowOf(name, config))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function rowOf(name: string, config: Record<string, unknown>): string {
  const estimates = ways.map(({ dtype, int8 }) => estimateOf(writeHollow(`${name}-${dtype}`, config, dtype), int8))
  const { parameters, diskBytes } = estimates[1]!
  const memory = estimates.map(({ memoryBytes }) => gigabytes(memoryBytes))
  const count = `${(parameters.before / 1e9).toFixed(2)} billion`
  return `| ${[name, count, ...memory, gigabytes(diskBytes)].join(' | ')} |`
}

/** A pruning at the settings that stand where none are given. */
function estimateOf(checkpointFolder: string, int8: boolean) {
  using checkpoint = openCheckpoint(checkpointFolder)
  const job = pruneSchema.parse({ kind: 'prune', checkpoint: checkpointFolder, out: folder, data: ['text'], int8 })
  return estimateJob(job, checkpoint, { target: targetOf(job, checkpoint) })
}

/** A checkpoint of the size that its config says, whose weights are a hole in its file. */
function writeHollow(name: string, config: Record<string, unknown>, dtype: 'float16' | 'float32'): string {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'config.json'), JSON.stringify(config))
  const planned = [...expectedTensors(parseConfig(config, 'config.json'))].map(([tensor, shape]) => ({
    name: tensor,
    dtype,
    shape,
  }))
  const { header, bytes } = layOut(planned, { format: 'pt' })
  writeFileSync(join(path, 'model.safetensors'), header)
  truncateSync(join(path, 'model.safetensors'), bytes)
  return path
}
