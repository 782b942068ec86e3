import { flushBackend } from '../backends/extras.ts'
import type { Head } from '../ops/head.ts'
import { type Linear, linear } from '../ops/linear.ts'
import { rmsNorm } from '../ops/rms-norm.ts'
import { freedOnTheWayBack } from '../tensor/freed-tape.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import type { BlockExtras, DecoderFamily, Model, Pass } from './family.ts'
import type { ModelConfig } from './model-config.ts'

export interface ForwardOptions {
  /** What comes into each block beside its input: adapter, mask, cache, observer. */
  extras?: ((layer: number) => BlockExtras) | undefined
  /** Sees the input and output [rows * length, hidden] of each block. */
  visit?: ((layer: number, x: Tensor, y: Tensor) => void) | undefined
  /**
   * Whether a block's input is disposed of once its output is there (default). Otherwise the inputs are the caller's, who
   * sees them in `visit`.
   */
  disposes?: boolean
  /** Whether the back end computes after each block (default), rather than all blocks in one graph. */
  flushes?: boolean
}

/** Runs all blocks: x [rows * length, hidden] in, the same shape out. */
export function forward(model: Model, x: Tensor, pass: Pass, options: ForwardOptions = {}): Tensor {
  const { extras, visit, disposes = true, flushes = true } = options
  let current = x
  for (const layer of model.layers.keys()) {
    const input = current
    current = tf.tidy(() => block(model, layer, input, pass, extras?.(layer)))
    visit?.(layer, input, current)
    if (disposes) input.dispose()
    if (flushes) flushBackend()
  }
  return current
}

/** Runs all blocks within a gradient tape, which keeps what they make. */
export function forwardTaped(model: Model, x: Tensor, pass: Pass, extras?: (layer: number) => BlockExtras): Tensor {
  let current = x
  for (const layer of model.layers.keys()) current = block(model, layer, current, pass, extras?.(layer))
  return current
}

/** A block as its family computes it. */
const block = (model: Model, layer: number, x: Tensor, pass: Pass, extras: BlockExtras = {}): Tensor =>
  model.family.block(x, model.layers[layer]!, model.config, pass, extras)

/** One batch on its way back through the blocks. */
export interface BackwardBatch {
  pass: Pass
  /** Inputs of all blocks, first block first; emptied and disposed of on the way. */
  inputs: Tensor[]
  /** Gradient with respect to the last block's output; disposed of. */
  gradient: Tensor
}

/** What is asked of a block on the way back. */
export interface BlockGradients {
  /** Tensors whose gradients are wanted. */
  variables: Tensor[]
  /** The model and what comes into the block, as they depend on the variables. */
  with: (variables: Tensor[], batch: number) => { model: Model; extras: BlockExtras }
  /** Takes the gradients of the variables from a batch, in their order. */
  take: (gradients: Tensor[], batch: number) => void
  /** Called when all batches have passed the block. */
  done?: () => void
}

/**
 * Walks the blocks from the last to the first, computing each one again for its gradients: activations of one block exist at
 * a time.
 */
export function backward(layers: number, batches: BackwardBatch[], at: (layer: number) => BlockGradients): void {
  for (let layer = layers - 1; layer >= 0; layer--) {
    const wanted = at(layer)
    const { variables } = wanted
    for (const [index, batch] of batches.entries()) {
      const x = batch.inputs.pop()!
      const again = freedOnTheWayBack((...args: Tensor[]) => {
        const { model, extras } = wanted.with(args.slice(0, variables.length), index)
        return block(model, layer, args[variables.length] ?? x, batch.pass, extras)
      })
      // Nobody needs the gradient of the first block's input.
      const results = tf.grads(again)([...variables, ...(layer > 0 ? [x] : [])], batch.gradient)
      tf.dispose([x, batch.gradient])
      if (layer > 0) batch.gradient = results.pop()!
      wanted.take(results, index)
      flushBackend()
    }
    if (wanted.done) {
      wanted.done()
      flushBackend()
    }
  }
}

/** Embeds token ids: [n, hidden]. */
export const embedIds = (model: Model, ids: Int32Array | readonly number[]): Tensor =>
  embedBatch(model, { ids: ids as Int32Array })

/** What a model reads: token ids, or patches of images, one after another. */
export type ModelInput = { ids: Int32Array } | { patches: Float32Array }

/** What `Family.embed` takes: ids [n], or patches [rows * patches, values of a patch]. */
export function inputTensor({ family, patchValues }: ModelConfig, input: ModelInput): Tensor {
  if ('ids' in input) return tf.tensor1d(input.ids, 'int32')
  if (patchValues === undefined) throw new TypeError(`${family} does not look at images`)
  return tf.tensor2d(input.patches, [input.patches.length / patchValues, patchValues])
}

/** The input of the first block. */
export function embedBatch(model: Model, input: ModelInput): Tensor {
  const tensor = inputTensor(model.config, input)
  const x = model.family.embed(model, tensor)
  tensor.dispose()
  return x
}

/**
 * Logits [rows, classes] of the last block's output [rows * length, hidden].
 *
 * @param classifier weight a [classes, hidden] and bias b [classes] in place of the model's own
 */
export function classLogits(
  x: Tensor,
  model: Model,
  pass: Pass,
  classifier: { a: Tensor; b: Tensor } | null = null,
): Tensor {
  const { family, head } = model
  if (family.task !== 'image-classification') throw new TypeError(`${family.name} does not look at images`)
  const layer = classifier ? { weight: classifier.a, bias: classifier.b } : head
  if (!layer) throw new TypeError('the model has no classifier')
  return linear(family.classToken(model, x, pass), layer)
}

/** What comes after the last block, over a frozen weight. */
export function headOf(model: Model): Head {
  const { weight } = languageHead(model)
  if ('dataId' in weight) throw new TypeError('an adapter is trained over frozen weights')
  return { ...languageFamily(model).head(model), weight }
}

/** Logits [n, vocabulary] of the last block's output [n, hidden]. */
export function logits(x: Tensor, model: Model): Tensor {
  const { norm, epsilon } = languageFamily(model).head(model)
  return linear(rmsNorm(x, norm, epsilon), languageHead(model))
}

/** The family of a language model. @throws TypeError for a model of images */
export function languageFamily({ family }: Model): DecoderFamily {
  if (family.task !== 'causal-lm') throw new TypeError(`${family.name} is no language model`)
  return family
}

function languageHead({ head }: Model): Linear {
  if (!head) throw new TypeError('a language model has a head')
  return head
}
