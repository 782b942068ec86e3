// A process that does one kind of work on a Llama with random weights whenever a line arrives, as torch_step.py does.
import { existsSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { flushBackend } from '../../engine/backends/flush.ts'
import { countParameters } from '../../engine/checkpoint/expected-tensors.ts'
import type { ModelConfig } from '../../engine/checkpoint/model-config.ts'
import { projections, projectionShape, type Projection } from '../../engine/checkpoint/projections.ts'
import type { TrainingBatch } from '../../engine/data/batches.ts'
import { LlamaScoring } from '../../engine/evaluation/llama-scoring.ts'
import { frozenFloats, type FrozenWeight } from '../../engine/frozen-weight.ts'
import { peakMemory } from '../../engine/jobs/memory.ts'
import { createAdapter, disposeMatrices, type LayerMatrices, lowRankOf } from '../../engine/lora/adapter.ts'
import type { LlamaModel } from '../../engine/models/llama.ts'
import { runFused } from '../../engine/ops/fused.ts'
import type { Linear } from '../../engine/ops/linear.ts'
import { adapterGradients } from '../../engine/pruning/calibration-gradients.ts'
import { gradientScores } from '../../engine/pruning/criteria/gradient.ts'
import { loraPruneScores } from '../../engine/pruning/criteria/loraprune.ts'
import { mapWeightGradients } from '../../engine/pruning/weight-gradients.ts'
import { Random } from '../../engine/random.ts'
import { type Tensor, tf } from '../../engine/tf.ts'
import { headRows } from '../../engine/training/gradients.ts'
import { Trainer } from '../../engine/training/trainer.ts'

const { values } = parseArgs({
  options: { shape: { type: 'string' }, mode: { type: 'string' }, threads: { type: 'string' } },
})
const [width, layers, heads, keyValueHeads, channels, vocabulary, rows, length] = values
  .shape!.split(',')
  .map(Number) as [number, number, number, number, number, number, number, number]
await chooseBackend({ threads: Number(values.threads) })

const config: ModelConfig = {
  family: 'llama',
  vocabularySize: vocabulary,
  hiddenSize: width,
  headSize: width / heads,
  layers: Array.from({ length: layers }, () => ({ heads, keyValueHeads, channels })),
  maxPositions: 4096,
  slidingWindow: null,
  normEpsilon: 1e-5,
  ropeTheta: 10_000,
  ropeScaling: null,
  bias: { queryKeyValue: false, output: false, feedForward: false },
  queryKeyNorm: false,
  tiedEmbeddings: false,
  bosId: 1,
  eosIds: [2],
  source: {},
}
const random = new Random(1)
const matrix = (count: number, columns: number) => {
  const data = new Float32Array(count * columns)
  for (let i = 0; i < data.length; i++) data[i] = (random.bits() / 2 ** 32 - 0.5) * 0.05
  return frozenFloats(data, count, columns)
}
const linear = (layer: number, projection: Projection): Linear => ({
  weight: matrix(...projectionShape(config, layer, projection)),
  bias: null,
})
const model: LlamaModel = {
  config,
  embedding: matrix(vocabulary, width),
  head: { weight: matrix(vocabulary, width), bias: null },
  norm: tf.ones([width]),
  layers: config.layers.map((shape, layer) => ({
    shape,
    projections: Object.fromEntries(projections.map((each) => [each, linear(layer, each)])) as Record<
      Projection,
      Linear
    >,
    inputNorm: tf.ones([width]),
    feedForwardNorm: tf.ones([width]),
    queryNorm: null,
    keyNorm: null,
  })),
}
const ids = Int32Array.from({ length: rows * length }, () => random.integer(vocabulary))
const batch: TrainingBatch = { ids, labels: ids, segments: null, positions: null, rows, length, targets: ids.length }
const adapter = createAdapter(
  config,
  { rank: 8, alpha: 16, dropout: 0, rankStabilised: false, projections: [...projections] },
  random.fork('adapter'),
)
const trainer = new Trainer(
  model,
  adapter,
  { perEpoch: 1, tokensPerEpoch: ids.length, at: () => batch },
  {
    steps: 1e6,
    accumulation: 1,
    clipNorm: 1,
    seed: 1,
    learningRate: 1e-4,
    warmUp: 0,
    decay: 'constant',
    weightDecay: 0,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    activations: values.mode === 'step-keep' ? 'keep' : 'recompute',
  },
)
const scoring = new LlamaScoring(model)
const items = Array.from({ length: rows }, (_, row) => {
  const [first, ...rest] = ids.slice(row * length, (row + 1) * length)
  return { prefix: [first!], suffixes: [rest] }
})

/** Scoring alone, without a step of training, by what it is guided by. */
const guides: Record<string, () => unknown> = {
  'lora-guided': () => {
    const gradients = adapterGradients(model, adapter, [batch])
    loraPruneScores(model, adapter, gradients, { ...scores, power: 1 })
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

/** What feeds each group of projections that read one input. */
const groups: Projection[][] = [['q', 'k', 'v'], ['o'], ['gate', 'up'], ['down']]
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
  for (const [layer, { projections: linears }] of model.layers.entries()) {
    for (const group of groups) {
      const lowRank = lowRankOf(adapter, layer)
      const attributes = {
        weights: group.map((projection) => linears[projection].weight as FrozenWeight),
        scales: group.map((projection) => lowRank[projection]!.scale),
      }
      const x = tokenMatrix(attributes.weights[0]!.columns)
      const pairs = Object.fromEntries(
        group.flatMap((projection, i) => [
          [`a${i}`, lowRank[projection]!.a],
          [`b${i}`, lowRank[projection]!.b],
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
    const head = { weight: model.head.weight }
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
    const observe = (gradients: LayerMatrices[]) => {
      const before = performance.now()
      loraPruneScores(model, adapter, gradients, { ...scores, power: 1 })
      scored = performance.now() - before
    }
    trainer.step(++step, values.mode === 'score' ? observe : undefined)
    if (values.mode === 'score') return scored / 1000
  }
  return (performance.now() - started) / 1000
}

const weights = countParameters(config) * 4
// The peak is that of the work, as PyTorch's is: it starts again from what is resident now.
if (existsSync('/proc/self/clear_refs')) writeFileSync('/proc/self/clear_refs', '5')
console.log(JSON.stringify({ ready: true, weights }))
for await (const _ of createInterface({ input: process.stdin }))
  console.log(JSON.stringify({ seconds: await work(), tokens: ids.length, peakBytes: peakMemory().peakMemoryBytes }))
