import type { ModelConfig } from '../models/model-config.ts'
import { layerWeights, linearOf } from '../models/tensors.ts'
import { headRows } from '../training/head-rows.ts'
import { patchFloats } from './forward-memory.ts'
import {
  adapterFloats,
  type AdapterSize,
  besideWidened,
  type HeldModel,
  largestBlock,
  logitArrays,
  oneAfterTheOther,
  seenScores,
  widenedHead,
  widestOf,
} from './memory-facts.ts'
import { sum } from '../shared/sum.ts'

/** How an adapter is trained, as far as memory is concerned. */
export interface Training extends AdapterSize {
  /** Of a micro-batch. */
  rows: number
  length: number
  /** Whether inputs of the adapter are dropped. */
  drops: boolean
  /** Whether groups are masked. */
  masks: boolean
  /** Whether all blocks' activations are kept, and not computed again. */
  keeps: boolean
  /** Whether groups are scored from the adapter's gradients. */
  scores: boolean
  /** Hidden size of the teacher, whose output is held and whose logits stand beside the student's; 0 where there is none. */
  teacherSize: number
}

/** Floats that steps of training hold at most beside the weights. */
export function trainingFloats(model: HeldModel, training: Training): number {
  const { config } = model
  const tokens = training.rows * training.length
  const layers = [...config.layers.keys()]
  const kept = layers.map((layer) => tokens * keptFloats(config, layer, training))
  // A classifier reads one token of an image.
  const isOfImages = config.patchValues !== undefined
  const read = isOfImages ? training.rows : tokens
  const rows = isOfImages ? read : headRows(tokens, config.vocabularySize)
  const models = training.teacherSize > 0 ? 2 : 1
  const piece = models * logitArrays * rows * config.vocabularySize
  const lesson = tokens * training.teacherSize
  const tile = training.scores ? tileArrays * Math.min(tileElements, widestOf(config)) : 0
  const adapter = adapterArrays * adapterFloats(config, training) + tokens * patchFloats(config) + lesson
  if (training.keeps) {
    const passing = tokens * Math.max(...layers.map((layer) => passingFloats(config, layer, 5, 3)))
    // One graph: what is widened for the way there is not let go before the way back, but for the head's weight.
    const head = model.widensTables ? 0.6 * config.vocabularySize * config.hiddenSize : 0
    // So are the logits of all pieces and their probabilities.
    const logits = Math.max(piece, models * 2 * read * config.vocabularySize)
    const step = sum(kept) + passing + widenedFloats(model, true) + logits + head
    return adapter + step + tile
  }
  // Biases are added apart, and the gradient of GELU takes several arrays.
  const wide = isOfImages ? 7 : 3
  const passing = tokens * Math.max(...layers.map((layer) => passingFloats(config, layer, wide, 2)))
  // Masks of dropout that wait for their collection.
  const waiting = tokens * Math.max(...layers.map((layer) => droppedInputs(config, layer, training)))
  const inputs = tokens * (layers.length + 1) * config.hiddenSize
  const block = Math.max(...kept) + passing + waiting + widenedFloats(model, false)
  return adapter + inputs + oneAfterTheOther(block, piece + widenedHead(model, rows < read ? 'pieces' : 'once'), tile)
}

/** Values, two moments, gradients and what replaces them. */
const adapterArrays = 5
/** A tile of `GroupImportance`: the weight, what the adapter adds, their sum, the change and their product. */
const tileArrays = 5
const tileElements = 2 ** 20

/** What one block's widened weights leave unused of the room of those before them comes on top. */
const unreused = 1.15

/** ONNX Runtime widens 16 bits once in a graph, and 8 bits anew for every product, some of them ahead of it. */
function widenedFloats(model: HeldModel, keeps: boolean): number {
  const { config, widensLinears, int8 } = model
  if (!widensLinears) return 0
  if (!keeps)
    return int8 ? largestBlock(config) + widestOf(config) : unreused * largestBlock(config) + besideWidened(model)
  return int8 ? largestBlock(config) + 0.2 * sum(layerWeights(config)) : sum(layerWeights(config))
}

/** Values of a token that a block's forward pass leaves for its backward pass. */
function keptFloats(config: ModelConfig, layer: number, training: Training): number {
  const { hiddenSize, headSize } = config
  const { heads, keyValueHeads, channels } = config.layers[layer]!
  return (
    4 * hiddenSize +
    (training.masks ? 3 : 2) * heads * headSize +
    2 * keyValueHeads * headSize +
    // Of GELU less is kept than of a gate.
    (config.patchValues === undefined ? 5 : 4) * channels +
    // Scores or probabilities.
    1.5 * seenScores(config) * training.length * heads +
    // Masks of dropout, and some of the inputs with them applied.
    1.3 * droppedInputs(config, layer, training)
  )
}

const droppedInputs = (config: ModelConfig, layer: number, { drops, targetModules }: Training): number =>
  drops ? sum(targetModules.map((name) => linearOf(config, layer, name).inputs)) : 0

/** Values of a token that the backward pass of one block makes and lets go. */
const passingFloats = ({ hiddenSize, layers }: ModelConfig, layer: number, wide: number, narrow: number): number =>
  wide * layers[layer]!.channels + narrow * hiddenSize
