import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { chooseBackend } from '../../../engine/backends/choose.ts'
import { layOut } from '../../../engine/checkpoint/safetensors-header.ts'
import { evaluateSchema, exportSchema, pruneSchema } from '../../../engine/contract/index.ts'
import { heldMemory } from '../../../engine/estimate/held-memory.ts'
import type { Work } from '../../../engine/estimate/work.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { toConfigJson } from '../../../engine/models/registry.ts'
import { expectedTensors } from '../../../engine/models/tensors.ts'
import { configOf, type SizeName } from '../../bench/memory/models.ts'

let folder = ''
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'secateur-measured-'))
  await chooseBackend({ device: 'onnx', threads: 2 })
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** A checkpoint whose weights are a hole in its file. */
function hollow(name: SizeName, dtype: 'float16' | 'float32'): string {
  const path = join(folder, `${name}-${dtype}`)
  mkdirSync(path, { recursive: true })
  const config = configOf(name)
  const tensors = [...expectedTensors(config)].map(([tensor, shape]) => ({ name: tensor, dtype, shape }))
  const { header, bytes } = layOut(tensors, { format: 'pt' })
  writeFileSync(join(path, 'config.json'), JSON.stringify(toConfigJson(config, dtype)))
  writeFileSync(join(path, 'model.safetensors'), header)
  truncateSync(join(path, 'model.safetensors'), bytes)
  return path
}

const paths = { checkpoint: 'model', out: 'out', data: ['text'] }
const prune = (batchSize: number, sequenceLength: number, more: object = {}): Work =>
  pruneSchema.parse({ kind: 'prune', ...paths, batchSize, sequenceLength, ...more })
const evaluate = (batchTokens: number, window: number): Work =>
  evaluateSchema.parse({
    kind: 'evaluate',
    checkpoint: 'model',
    evaluation: { perplexity: { text: 'text' }, window, batchTokens },
  })
const generate = (prompt: number): Work => ({ kind: 'generate', prompt, maxNewTokens: 5 })
const measure = (batchSize: number, sequenceLength: number): Work => ({
  kind: 'measure',
  batchSize,
  sequenceLength,
  calibrationSamples: 2 * batchSize,
  rank: 8,
})

const gguf: Work = exportSchema.parse({
  kind: 'export',
  format: 'gguf',
  checkpoint: 'model',
  out: 'model.gguf',
  threads: 2,
})

/** Peaks in MB of runs of two steps that `npm run bench:memory` measured on 2 cores of an AMD EPYC. */
const peaks: [SizeName, 'float16' | 'float32', Work, number][] = [
  ['4M', 'float16', prune(4, 256), 463],
  ['4M', 'float16', prune(8, 256, { gradientCheckpointing: 'on' }), 401],
  ['4M', 'float16', measure(4, 256), 331],
  ['4M', 'float32', evaluate(1024, 256), 258],
  ['4M', 'float32', generate(243), 248],
  ['30M', 'float16', prune(4, 256), 1139],
  ['30M', 'float16', prune(2, 512), 1272],
  ['30M', 'float16', prune(2, 64, { criterion: 'gradient', calibrationSamples: 8 }), 551],
  ['100M wide', 'float16', evaluate(1024, 256), 673],
  ['100M wide', 'float16', prune(1, 64, { int8: true }), 654],
  ['100M wide', 'float32', prune(1, 64), 826],
  ['125M', 'float16', prune(1, 64), 1080],
  ['125M', 'float16', prune(1, 64, { gradientCheckpointing: 'on' }), 727],
  ['125M', 'float16', evaluate(1024, 256), 785],
  ['125M', 'float16', generate(62), 543],
  ['125M', 'float16', prune(4, 256), 922],
  ['125M', 'float32', prune(1, 64), 1001],
  ['125M', 'float16', measure(1, 64), 766],
  ['100M wide', 'float16', measure(1, 64), 1417],
  ['150M head', 'float16', evaluate(1024, 256), 1171],
  ['135M deep', 'float16', prune(1, 64), 1133],
  ['135M deep', 'float16', evaluate(64, 64), 670],
  ['135M deep', 'float16', generate(62), 549],
  ['4M', 'float16', gguf, 312],
  ['30M', 'float16', gguf, 559],
  ['100M wide', 'float16', gguf, 1000],
]

test('estimates are what was measured, or up to a quarter more', () => {
  for (const [name, dtype, work, megabytes] of peaks) {
    using checkpoint = openCheckpoint(hollow(name, dtype))
    const ratio = heldMemory(work, checkpoint) / (megabytes * 1e6)
    assert.ok(
      ratio >= 1 && ratio <= 1.25,
      `${work.kind} of ${name} in ${dtype}: ${ratio.toFixed(2)} of ${megabytes} MB`,
    )
  }
})
