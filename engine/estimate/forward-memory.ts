import { backendExtras, handyRows } from '../backends/extras.ts'
import { type EvaluationSettings, examplesOf, isTaskName } from '../contract/index.ts'
import { comparedTokens } from '../evaluation/closeness.ts'
import { bestLength } from '../evaluation/shared-stems.ts'
import type { LayerShape, ModelConfig } from '../models/model-config.ts'
import { multiplyAdds } from '../models/multiply-adds.ts'
import {
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

/**
 * Floats of a pass of `rows` x `length` tokens through one block, as if nothing were freed within attention or within the
 * feed-forward network.
 *
 * @param scores arrays of attention's scores
 */
function blockFloats(model: HeldModel, rows: number, length: number, scores = 1): number {
  const { config, widensLinears } = model
  const tokens = rows * length
  const most = (values: (layer: LayerShape) => number) => tokens * Math.max(...config.layers.map(values))
  const attention = attentionValues(config, scores * length)
  // Biases are added apart.
  const wide = config.patchValues === undefined ? 4 : 6
  const block = most((layer) => attention(layer) + wide * layer.channels)
  if (!widensLinears) return block
  // All weights of a block are widened before the first of them is used.
  return Math.max(largestBlock(config) + most(attention), block + widestOf(config)) + besideWidened(model)
}

/** Values of a token that attention makes, and the residual stream beside it. */
const attentionValues =
  (config: ModelConfig, scores: number) =>
  ({ heads, keyValueHeads }: LayerShape): number =>
    4 * config.hiddenSize + (4 * heads + 5 * keyValueHeads) * config.headSize + scores * seenScores(config) * heads

/** Floats of a token's patch, as it is read and as a tensor; none of text. */
export const patchFloats = ({ patchValues = 0 }: ModelConfig): number => 2 * patchValues

/** Floats that scoring holds at most beside the weights. */
export function evaluationFloats(model: HeldModel, settings: EvaluationSettings): number {
  const { batchTokens, window, tasks, perplexity, latency, latencyLengths, prompts, maxNewTokens, images } = settings
  const { config } = model
  const ofTasks = Math.max(0, ...Object.keys(tasks).map((name) => taskRow(name, settings, config)))
  const ofTexts = Object.keys(perplexity).length > 0 ? window : 0
  const ofImages = images === undefined ? 0 : config.maxPositions
  const length = Math.max(ofTasks, ofTexts, ofImages)
  const tokens = length === 0 ? 0 : Math.max(batchTokens, length)
  // A classifier reads one token of an image.
  const read = ofImages > 0 ? tokens / length : tokens
  const logits = logitArrays * Math.min(backendExtras().logitsAtOnce.most, read * config.vocabularySize)
  const scoring =
    tokens === 0
      ? 0
      : oneAfterTheOther(
          blockFloats(model, tokens / length, length) + tokens * (patchFloats(config) + ofTasks),
          logits + widenedHead(model, ofTasks > 0 ? 'pieces' : 'once'),
        )
  const measured = latency ? [128, ...latencyLengths].map((prompt) => generationFloats(model, prompt, 32)) : [0]
  const written = prompts.length > 0 ? generationFloats(model, 128, maxNewTokens) : 0
  return oneAfterTheOther(scoring, Math.max(...measured, written))
}

/** Tokens of a row of a task, and of the examples of MMLU: seldom more. */
const [usualRow, usualStem] = [512, 1024]

/**
 * Tokens of a row of a task, each of which has a bias of attention for every other one. What starts with the same examples, as rows of
 * MMLU do, or with the same text of a task of the user's own, shares a row: see evaluation/shared-stems.ts.
 */
function taskRow(name: string, { fewShot, batchTokens }: EvaluationSettings, { maxPositions }: ModelConfig): number {
  const alone = Math.min(usualRow, maxPositions)
  const shares = !isTaskName(name) || (name === 'mmlu' && examplesOf(name, fewShot) > 0)
  return shares ? Math.max(alone, Math.min(batchTokens, bestLength(Math.min(usualStem, maxPositions)))) : alone
}

/**
 * Floats that a comparison with the dense model holds beside its weights and the pass of a batch: of the first model the last
 * block's output for all windows and the head, and logits of both.
 */
export function comparedFloats({ config, widensTables }: HeldModel, settings: EvaluationSettings): number {
  const texts = Object.keys(settings.perplexity).length
  if (texts === 0 || config.patchValues !== undefined) return 0
  const { vocabularySize, hiddenSize } = config
  const windows = Math.min(settings.maxWindows ?? Infinity, Math.ceil(comparedTokens / settings.window))
  const logits = comparedLogits * Math.min(handyRows(vocabularySize), settings.window) * vocabularySize
  const heads = (widensTables ? 3 : 1) * vocabularySize * hiddenSize
  return texts * windows * settings.window * hiddenSize + logits + heads
}

/** Arrays of a piece's logits: of both models, and what the divergence is made of. */
const comparedLogits = 10

/**
 * Floats that a prompt and its continuation hold at most beside the weights.
 *
 * @param rows prompts that are continued at once
 */
export function generationFloats(model: HeldModel, promptTokens: number, maxNewTokens: number, rows = 1): number {
  const { config } = model
  const prompt = Math.min(promptTokens, config.maxPositions)
  const capacity = Math.min(prompt + maxNewTokens, config.maxPositions)
  const cache = rows * sum(config.layers.map(({ keyValueHeads }) => 2 * keyValueHeads * config.headSize * capacity))
  const bias = rows * prompt * prompt
  // As the prompt left it, with room for more, and with room for all; of one token nothing is widened, nor for the last of a
  // prompt's logits.
  return 3 * cache + bias + blockFloats(model, rows, prompt, 2.5) + atOnceFloats(model)
}

/** Of weights that are spread normally, with the deviation of 0.02 that models start with: those that float16 holds as small. */
const smallShare = 1 / 400

/** Floats of what computes a token at once: threads, and three numbers for each small weight of float16 (backends/onnx/rows). */
function atOnceFloats({ config, int8, widensLinears, copiesBits }: HeldModel): number {
  const { atOnceBytes } = backendExtras()
  const isFloat16 = widensLinears && !int8 && !copiesBits
  const listed = atOnceBytes > 0 && isFloat16 ? smallShare * multiplyAdds(config) : 0
  return atOnceBytes / 4 + 3 * listed
}
