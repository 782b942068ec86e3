// A process that does one kind of work on a Llama with random weights whenever a line arrives, as torch_step.py does.
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { flushBackend } from '../../engine/backends/extras.ts'
import { countParameters } from '../../engine/models/tensors.ts'
import { CausalScoring } from '../../engine/evaluation/causal-scoring.ts'
import { frozenFloats, type FrozenWeight } from '../../engine/tensor/frozen-weight.ts'
import { modelOf } from '../../engine/models/drawn-model.ts'
import { plainConfig } from '../../engine/bench/shapes.ts'
import { subjectOf } from '../../engine/bench/subject.ts'
import { peakMemory } from '../../engine/estimate/memory.ts'
import { disposeMatrices, type LayerMatrices, lowRankOf } from '../../engine/lora/adapter.ts'
import { runFused } from '../../engine/ops/fused.ts'
import { adapterGradients } from '../../engine/pruning/statistics/calibration-gradients.ts'
import { gradientScores } from '../../engine/pruning/criteria/gradient.ts'
import { mapWeightGradients } from '../../engine/pruning/statistics/weight-gradients.ts'
import { Random } from '../../engine/shared/random.ts'
import { type Tensor, tf } from '../../engine/tensor/tf.ts'
import type { Teacher } from '../../engine/training/teacher.ts'
import { headRows } from '../../engine/training/head-rows.ts'
import { forgetPeak } from './peak.ts'

const { values } = parseArgs({
  options: { shape: { type: 'string' }, mode: { type: 'string' }, threads: { type: 'string' } },
})
const [width, layers, heads, keyValueHeads, channels, vocabulary, rows, length] = values
  .shape!.split(',')
  .map(Number) as [number, number, number, number, number, number, number, number]
await chooseBackend({ threads: Number(values.threads) })

const config = plainConfig({
  vocabularySize: vocabulary,
  hiddenSize: width,
  headSize: width / heads,
  layers: Array.from({ length: layers }, () => ({ heads, keyValueHeads, channels })),
  tiedEmbeddings: false,
})
const random = new Random(1)
const matrix = (count: number, columns: number) => {
  const data = new Float32Array(count * columns)
  for (let i = 0; i < data.length; i++) data[i] = (random.bits() / 2 ** 32 - 0.5) * 0.05
  return frozenFloats(data, count, columns)
}
const model = modelOf(config, matrix)
const { ids, batch, adapter, trainer, items, score } = subjectOf(model, {
  rows,
  length,
  gradientCheckpointing: values.mode!.startsWith('step-keep') ? 'off' : 'on',
  teacher: teacherOf(values.mode!),
})

/** The dense model, as `--distil 0.5` has it, or what `--distil-cache 64` keeps of it: an epoch that comes again. */
function teacherOf(mode: string): Teacher | undefined {
  const settings = { model, share: 0.5, temperature: 1, hidden: 0 }
  if (mode.endsWith('-taught')) return settings
  if (!mode.endsWith('-kept-teacher')) return undefined
  const k = 64
  const size = rows * length * k
  const likeliest = Int32Array.from({ length: size }, (_, at) => at % k)
  const top = { k, ids: likeliest, shares: new Float32Array(size).fill(0.9 / k) }
  return { ...settings, cache: { k, find: () => top, add: () => {} } }
}
const scoring = new CausalScoring(model)

/** Scoring alone, without a step of training, by what it is guided by. */
const guides: Record<string, () => unknown> = {
  'lora-guided': () => {
    const gradients = adapterGradients(model, adapter, [batch])
    score(gradients)
    disposeMatrices(gradients)
  },
  'gradient-guided': () => {
    const view = { model, adapter, masks: () => undefined, calibration: async () => [batch] }
    gradientScores(view, [batch], { ...scores, gradientForm: 'element-wise' })
  },
  // As a program that calls backward() once has them.
  'all weight gradients at once': () => {
    const held = mapWeightGradients(model, adapter, [batch], {}, (_, { gradients }) =>
      Object.values(gradients).map((gradient) => tf.clone(gradient)),
    )
    tf.dispose(held)
  },
}
const scores = { normalise: 'module', reduction: 'sum', headGroups: 'key-value-heads' } as const

/** Linear layers that read one input. */
const groups: string[][] = [['q', 'k', 'v'], ['o'], ['gate', 'up'], ['down']]
const tokenMatrices = new Map<number, Tensor>()
/** Some activations or gradients of them [tokens, columns]. */
function tokenMatrix(columns: number): Tensor {
  let known = tokenMatrices.get(columns)
  if (!known) {
    known = tf.keep(tf.randomNormal([ids.length, columns], 0, 1, 'float32', 1))
    tokenMatrices.set(columns, known)
  }
  return known
}

/** A step's linear layers and nothing else: their products forward and backward, adapters and head included. */
function linearLayers(): void {
  // One graph, as a step's is.
  const made: Tensor[] = []
  for (const [layer, { linears }] of model.layers.entries()) {
    for (const group of groups) {
      const lowRank = lowRankOf(adapter, layer)
      const attributes = {
        weights: group.map((name) => linears[name]!.weight as FrozenWeight),
        scales: group.map((name) => lowRank[name]!.scale),
      }
      const x = tokenMatrix(attributes.weights[0]!.columns)
      const pairs = Object.fromEntries(
        group.flatMap((name, i) => [
          [`a${i}`, lowRank[name]!.a],
          [`b${i}`, lowRank[name]!.b],
        ]),
      )
      const dys = Object.fromEntries(attributes.weights.map(({ rows: out }, i) => [`dy${i}`, tokenMatrix(out)]))
      made.push(
        ...runFused('LoraLinear', { x, ...pairs }, attributes),
        ...runFused('LoraLinearGrad', { ...dys, ...pairs, x }, attributes),
        // What the first block's input wants is of no use to anyone.
        ...(layer === 0 && group[0] === 'q' ? [] : runFused('LoraLinearInputGrad', { ...dys, ...pairs }, attributes)),
      )
    }
  }
  const piece = headRows(ids.length, vocabulary)
  for (let start = 0; start < ids.length; start += piece) {
    const head = { weight: model.head!.weight as FrozenWeight }
    const [logits] = runFused(
      'FrozenLinear',
      { x: tf.slice(tokenMatrix(width), [start, 0], [piece, width]) },
      { ...head, transposed: false },
    )
    const [gradient] = runFused('FrozenLinear', { x: logits! }, { ...head, transposed: true })
    logits!.dispose()
    made.push(gradient!)
  }
  flushBackend()
  tf.dispose(made)
}

let step = 0
/** Seconds of one piece of work. */
async function work(): Promise<number> {
  const started = performance.now()
  const guide = guides[values.mode!]
  if (guide) guide()
  else if (values.mode === 'linear-layers') tf.tidy(linearLayers)
  else if (values.mode === 'forward') await scoring.logLikelihoods(items)
  else {
    let scored = 0
    const observe = ({ gradients }: { gradients: LayerMatrices[] }) => {
      const before = performance.now()
      score(gradients)
      scored = performance.now() - before
    }
    trainer.step(++step, values.mode === 'score' ? observe : undefined)
    if (values.mode === 'score') return scored / 1000
  }
  return (performance.now() - started) / 1000
}

const weights = countParameters(config) * 4
// The peak is that of the work, as PyTorch's is: it starts again from what is resident now.
forgetPeak()
console.log(JSON.stringify({ ready: true, weights }))
for await (const _ of createInterface({ input: process.stdin })) {
  const before = process.cpuUsage()
  const seconds = await work()
  const { user, system } = process.cpuUsage(before)
  const { peakMemoryBytes: peakBytes } = peakMemory()
  console.log(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, tokens: ids.length, peakBytes }))
}
