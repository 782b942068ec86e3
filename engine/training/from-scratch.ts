import { flushBackend } from '../backends/extras.ts'
import type { TrainingBatch } from '../data/batches.ts'
import { assembleModel } from '../models/assemble.ts'
import type { Model, Pass } from '../models/family.ts'
import { classLogits, forwardTaped, inputTensor, logits } from '../models/forward.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { tensorsOf } from '../models/tensors.ts'
import { crossEntropy } from '../ops/cross-entropy.ts'
import type { Random } from '../shared/random.ts'
import type { RestoredValues, SavedValues } from '../shared/saved-values.ts'
import { freedOnTheWayBack } from '../tensor/freed-tape.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { adamSteps, type AdamWSettings, stepScalars, sumOfSquares } from './adamw.ts'
import { passOf } from './gradients.ts'

/** Weights by their names in a checkpoint. */
export type Weights = Map<string, Tensor>

/** Normal weights with the given deviation, smaller for what is added to the residual stream; norms of ones. */
export function randomWeights(config: ModelConfig, deviation: number, random: Random): Weights {
  const residual = deviation / Math.sqrt(2 * config.layers.length)
  const weights: Weights = new Map()
  for (const { name, shape, role } of tensorsOf(config)) {
    const stream = random.fork(name)
    const scale = /\.(o_proj|down_proj|output\.dense)\.weight$/.test(name) ? residual : deviation
    const size = shape.reduce((product, length) => product * length, 1)
    const values = new Float32Array(size)
    const starts = role.part === 'norm' ? (role.starts ?? 1 - role.offset) : role.part === 'bias' ? 'zeros' : 'normal'
    if (typeof starts === 'number') values.fill(starts)
    else if (starts === 'normal') for (let i = 0; i < size; i++) values[i] = stream.normal() * scale
    weights.set(name, tf.tensor(values, shape))
  }
  return weights
}

const rows = (tensor: Tensor, first: number, count: number): Tensor =>
  count === tensor.shape[0] ? tensor : tf.slice(tensor, first, count)

/** A matrix [rows, all other dimensions]: that is how a convolution over patches is multiplied with. */
const asMatrix = (tensor: Tensor): Tensor =>
  tensor.rank === 2 ? tensor : tf.reshape(tensor, [tensor.shape[0]!, tensor.size / tensor.shape[0]!])

/** A model whose weights are tensors, all of which can be trained. */
export function modelOf(config: ModelConfig, weights: Weights): Model {
  return assembleModel(config, {
    matrix: ({ name }, first, count) => rows(asMatrix(weights.get(name)!), first, count),
    bias: ({ name }, first, count) => rows(weights.get(name)!, first, count),
    norm: ({ name }, offset) => (offset === 0 ? weights.get(name)! : tf.add(weights.get(name)!, offset)),
  })
}

/** The loss of a model whose head is a tensor too. */
const fullLoss = (x: Tensor, model: Model, labels: Tensor, pass: Pass, divisor: Tensor): Tensor =>
  crossEntropy(model.family.task === 'causal-lm' ? logits(x, model) : classLogits(x, model, pass), labels, divisor)

/** Trains every weight of a small model, whose whole step fits into memory at once. */
export class FullTrainer {
  readonly config: ModelConfig
  readonly weights: Weights
  readonly #settings: AdamWSettings & { maxGradientNorm: number }
  readonly #first: Weights
  readonly #second: Weights

  constructor(config: ModelConfig, weights: Weights, settings: AdamWSettings & { maxGradientNorm: number }) {
    this.config = config
    this.weights = weights
    this.#settings = settings
    const zeros = () => new Map([...weights].map(([name, tensor]) => [name, tf.zerosLike(tensor)]))
    this.#first = zeros()
    this.#second = zeros()
  }

  /** Weights and moments, to go on from. */
  state(): SavedValues {
    const sets = { weight: this.weights, first: this.#first, second: this.#second }
    return new Map(
      Object.entries(sets).flatMap(([set, tensors]) =>
        [...tensors].map(([name, tensor]) => [
          `${set}.${name}`,
          { shape: tensor.shape, data: tensor.dataSync() as Float32Array },
        ]),
      ),
    )
  }

  /** Puts back what `state` gave. @throws SecateurError where a value is missing or of another size */
  restore(saved: RestoredValues): void {
    const sets = { weight: this.weights, first: this.#first, second: this.#second }
    for (const [set, tensors] of Object.entries(sets))
      for (const [name, old] of tensors) {
        tensors.set(name, tf.tensor(saved.value(`${set}.${name}`, old.size), old.shape))
        old.dispose()
      }
  }

  /**
   * One AdamW step.
   *
   * @param step counts from 1
   * @returns mean loss before the update
   */
  step(batch: TrainingBatch, step: number, learningRate: number): number {
    const names = [...this.weights.keys()]
    using pass = passOf(this.config, batch)
    const { loss, gradients, norm } = tf.tidy(() => {
      // Made out here: what is made inside is gone before the backward pass reads it.
      const input = inputTensor(this.config, batch)
      const labels = tf.tensor1d(batch.labels, 'int32')
      const divisor = tf.scalar(batch.targets)
      const lossOf = freedOnTheWayBack((...tensors: Tensor[]) => {
        const model = modelOf(this.config, new Map(names.map((name, i) => [name, tensors[i]!])))
        const x = forwardTaped(model, model.family.embed(model, input), pass)
        return fullLoss(x, model, labels, pass, divisor) as never
      })
      const { value, grads } = tf.valueAndGrads(lossOf)([...this.weights.values()])
      return { loss: value as Tensor, gradients: grads, norm: tf.sqrt(sumOfSquares(grads)) }
    })
    flushBackend()
    this.#update(
      names,
      gradients,
      Math.min(1, this.#settings.maxGradientNorm / (norm.dataSync()[0]! + 1e-6)),
      step,
      learningRate,
    )
    const result = loss.dataSync()[0]!
    tf.dispose([loss, norm, ...gradients])
    return result
  }

  #update(names: string[], gradients: Tensor[], clip: number, step: number, learningRate: number): void {
    const matrices = stepScalars(this.#settings, step, learningRate)
    const vectors = stepScalars({ ...this.#settings, weightDecay: 0 }, step, learningRate)
    const factor = tf.scalar(clip)
    for (const [i, name] of names.entries()) {
      const old = { value: this.weights.get(name)!, first: this.#first.get(name)!, second: this.#second.get(name)! }
      const scalars = old.value.rank > 1 ? matrices : vectors
      const gradient = tf.mul(gradients[i]!, factor)
      const [next] = adamSteps([{ ...old, gradient }], this.#settings, scalars)
      gradient.dispose()
      const { value, first, second } = next!
      this.weights.set(name, value)
      this.#first.set(name, first)
      this.#second.set(name, second)
      tf.dispose(Object.values(old))
    }
    flushBackend()
    tf.dispose([...Object.values(matrices), ...Object.values(vectors), factor])
  }
}
