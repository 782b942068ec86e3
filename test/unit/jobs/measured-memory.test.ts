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

/** The higher of the peaks, in MB, of two runs of two steps that `npm run bench:memory` measured on 2 cores of an AMD EPYC. */
const peaks: [SizeName, 'float16' | 'float32', Work, number][] = [
  ['4M', 'float16', prune(4, 256), 497],
  ['4M', 'float16', prune(8, 256, { gradientCheckpointing: 'on' }), 407],
  ['4M', 'float16', measure(4, 256), 308],
  ['4M', 'float32', evaluate(1024, 256), 277],
  ['30M', 'float16', prune(4, 256), 1159],
  ['30M', 'float16', prune(2, 512), 1278],
  ['30M', 'float16', evaluate(64, 64), 354],
  ['30M', 'float32', evaluate(1024, 256), 474],
  ['30M', 'float32', measure(1, 64), 496],
  ['100M wide', 'float16', evaluate(64, 64), 561],
  ['100M wide', 'float16', evaluate(1024, 256), 738],
  ['100M wide', 'float32', evaluate(1024, 256), 847],
  ['100M wide', 'float16', prune(1, 64, { int8: true }), 662],
  ['100M wide', 'float32', prune(1, 64), 843],
  ['100M wide', 'float16', prune(1, 64, { gradientCheckpointing: 'on' }), 764],
  ['100M wide', 'float16', measure(1, 64), 1430],
  ['100M wide', 'float32', measure(4, 256), 1945],
  ['125M', 'float16', prune(1, 64), 1139],
  ['125M', 'float16', prune(1, 64, { gradientCheckpointing: 'on' }), 750],
  ['125M', 'float16', evaluate(64, 64), 748],
  ['125M', 'float16', evaluate(1024, 256), 790],
  ['125M', 'float16', measure(1, 64), 853],
  ['150M head', 'float16', evaluate(1024, 256), 1216],
  ['135M deep', 'float16', prune(1, 64), 1138],
  ['135M deep', 'float16', evaluate(64, 64), 744],
  ['1.1B', 'float16', evaluate(1024, 256), 2943],
  ['1.1B', 'float16', prune(1, 64, { gradientCheckpointing: 'on' }), 2912],
  ['4M', 'float16', gguf, 299],
  ['30M', 'float16', gguf, 509],
  ['100M wide', 'float16', gguf, 927],
  ['100M wide', 'float32', gguf, 836],
  ['125M', 'float16', gguf, 1039],
  ['150M head', 'float16', gguf, 1479],
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
