// npm run bench:export: how fast a model is written as GGUF, in each type, beside a copy of its file.
import { closeSync, copyFileSync, fsyncSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { plainConfig } from '../../engine/bench/shapes.ts'
import { fromFloat32 } from '../../engine/checkpoint/dtype.ts'
import { elementsOf } from '../../engine/checkpoint/safetensors-header.ts'
import { exportSchema, ggufType } from '../../engine/contract/export.ts'
import { exportCheckpoint } from '../../engine/jobs/export.ts'
import type { DecoderConfig } from '../../engine/models/decoder-config.ts'
import { expectedTensors } from '../../engine/models/tensors.ts'
import { writeCheckpoint } from '../../engine/models/write-checkpoint.ts'
import { Random } from '../../engine/shared/random.ts'
import type { StoredTensor } from '../../engine/tensor/stored-tensor.ts'

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '1.5' },
    types: { type: 'string', default: ggufType.options.join(',') },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})
const threads = Number(values.threads)
/** Of Llama 2 7B in float16. */
const sevenBillion = 13_500

const folder = mkdtempSync(join(tmpdir(), 'secateur-export-'))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const checkpoint = join(folder, 'model')
const model = configOf(Number(values.gigabytes) * 1e9)
await writeCheckpoint(checkpoint, {
  config: model,
  dtype: 'float16',
  tensors: drawn(model),
  maxShardBytes: Infinity,
  tokenizerFrom: join(import.meta.dirname, '../../resources/sample/model'),
})
const size = [...expectedTensors(model).values()].reduce((sum, shape) => sum + 2 * elementsOf(shape), 0)
console.log(`${megabytes(size)} MB in float16, ${threads} threads; MB are those that are read\n`)
console.log(
  '| type | MB written | seconds | MB/s | MB/s of a core | minutes for 7B |\n| --- | --- | --- | --- | --- | --- |',
)
await measure('a copy', (out) => {
  copyFileSync(join(checkpoint, 'model.safetensors'), out)
  const copy = openSync(out, 'r+')
  fsyncSync(copy)
  closeSync(copy)
})
for (const type of ggufType.array().parse(values.types.split(',')))
  await measure(type, async (out) => {
    const settings = { kind: 'export', format: 'gguf', checkpoint, out, type, proof: false, threads }
    await exportCheckpoint(exportSchema.parse(settings), {
      emit: () => {},
      signal: new AbortController().signal,
      resume: false,
    })
  })

/** Times what writes a file; time of the processor is that of all threads. */
async function measure(name: string, write: (out: string) => void | Promise<void>): Promise<void> {
  const out = join(folder, 'out.gguf')
  const [start, before] = [performance.now(), process.cpuUsage()]
  await write(out)
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  const speed = size / 1e6 / seconds
  const ofCore = size / (user + system)
  const minutes = (sevenBillion / speed / 60).toFixed(1)
  const cells = [name, megabytes(statSync(out).size), seconds.toFixed(1), speed.toFixed(0), ofCore.toFixed(0), minutes]
  console.log(`| ${cells.join(' | ')} |`)
  rmSync(out)
}

/** A Llama 2048 wide, with as many layers as the bytes hold. */
function configOf(wanted: number): DecoderConfig {
  const [hiddenSize, headSize, heads, keyValueHeads, channels, vocabularySize] = [2048, 64, 32, 8, 5632, 32_000]
  const ofLayer = 2 * hiddenSize * (2 * heads * headSize + 2 * keyValueHeads * headSize + 3 * channels)
  const layers = Math.max(1, Math.round((wanted - 2 * vocabularySize * hiddenSize) / ofLayer))
  return plainConfig({
    vocabularySize,
    hiddenSize,
    headSize,
    layers: Array.from({ length: layers }, () => ({ heads, keyValueHeads, channels })),
    tiedEmbeddings: true,
  })
}

/** A million numbers of a normal distribution again and again: every block has others, and none takes long to draw. */
function* drawn(config: DecoderConfig): Generator<StoredTensor> {
  const random = new Random(1)
  const normal = Float32Array.from({ length: 1_000_003 }, () => 0.02 * random.normal())
  const piece = Buffer.from(fromFloat32(normal, 'float16'))
  for (const [name, shape] of expectedTensors(config)) {
    const numbers = elementsOf(shape)
    const bytes =
      shape.length === 1 ? fromFloat32(new Float32Array(numbers).fill(1), 'float16') : Buffer.alloc(2 * numbers, piece)
    yield { name, dtype: 'float16', shape: [...shape], bytes }
  }
}

function megabytes(count: number): string {
  return (count / 1e6).toFixed(0)
}
