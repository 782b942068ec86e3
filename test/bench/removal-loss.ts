// npm run bench -- removal-loss: the loss that is left when a fraction of the sample's channels goes at once, chosen by
// scores of several kinds and by their negatives, and how each goes with LoRAPrune's (rank correlation, a layer each).
import { join } from 'node:path'
import { rankCorrelation } from '../../engine/jobs/measure.ts'
import { disposeMatrices } from '../../engine/lora/adapter.ts'
import type { LayerMask } from '../../engine/models/family.ts'
import { targetsOf } from '../../engine/pruning/statistics/calibration-gradients.ts'
import type { LayerScores } from '../../engine/pruning/scores.ts'
import { gradientScores } from '../../engine/pruning/criteria/gradient.ts'
import { loraPruneScores } from '../../engine/pruning/criteria/loraprune.ts'
import { movementScores, trueMovementScores } from '../../engine/pruning/criteria/movement.ts'
import { maskTensors } from '../../engine/pruning/masks.ts'
import { Random } from '../../engine/shared/random.ts'
import { tf } from '../../engine/tensor/tf.ts'
import { lossAndGradients } from '../../engine/training/gradients.ts'
import { scoredModel, withoutLowest } from './scored-model.ts'

const sample = join(import.meta.dirname, '../../resources/sample')
const { settings, batches, model, adapter, gradients } = await scoredModel({
  checkpoint: join(sample, 'model'),
  data: [join(sample, 'train.jsonl')],
  calibrationSamples: 128,
  batchSize: 32,
  sequenceLength: 64,
})
const view = { model, adapter, masks: () => undefined, calibration: async () => batches }
const scoring = { headGroups: settings.headGroups, normalise: 'module', reduction: 'sum' } as const

const estimated = movementScores(model, adapter, gradients, scoring)
const exact = trueMovementScores(view, batches, scoring)
const lots = new Random(3)
const mapped = (scores: readonly LayerScores[], change: (score: number) => number): LayerScores[] =>
  scores.map(({ heads, channels }) => ({ heads, channels: channels.map(change) }))
const loraPrune = loraPruneScores(model, adapter, gradients, { ...scoring, power: 1 })
const kinds: Record<string, LayerScores[]> = {
  loraprune: loraPrune,
  gradient: gradientScores(view, batches, { ...scoring, gradientForm: 'element-wise' }),
  random: mapped(estimated, () => lots.uniform()),
  'movement, estimated': estimated,
  'its negative': mapped(estimated, (score) => -score),
  'its absolute value': mapped(estimated, Math.abs),
  'movement, true gradients': exact,
  'its negative ': mapped(exact, (score) => -score),
  'its absolute value ': mapped(exact, Math.abs),
}
disposeMatrices(gradients)

function loss(masks?: LayerMask[]): number {
  const divisor = tf.scalar(targetsOf(batches))
  let total = 0
  for (const batch of batches) {
    const part = lossAndGradients(model, adapter, batch, divisor, { masks })
    total += part.loss.dataSync()[0]!
    disposeMatrices(part.gradients)
  }
  return total
}

/** Masks without the lowest channels of each layer; heads all stay. */
function maskedBy(scores: readonly LayerScores[], ratio: number): LayerMask[] {
  const masks = scores.map(({ heads, channels }) => ({
    heads: new Uint8Array(heads.length).fill(1),
    channels: withoutLowest(channels, Math.floor(ratio * channels.length)),
  }))
  return maskTensors(model.config, masks)
}

const ratios = [0.1, 0.2, 0.5]
console.log(`loss of the dense model: ${loss().toFixed(3)}\n`)
console.log(`| channels chosen by | ${ratios.map((ratio) => `${100 * ratio} % gone`).join(' | ')} | with loraprune |`)
console.log(`| --- | ${ratios.map(() => '---:').join(' | ')} | --- |`)
for (const [name, scores] of Object.entries(kinds)) {
  const losses = ratios.map((ratio) => loss(maskedBy(scores, ratio)).toFixed(3))
  const alike = scores.map(({ channels }, i) => rankCorrelation(channels, loraPrune[i]!.channels).toFixed(2))
  console.log(`| ${name.trim()} | ${losses.join(' | ')} | ${alike.join(' ')} |`)
}
