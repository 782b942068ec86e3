// npm run bench -- protected-layers: the loss on a text when the groups that LoRAPrune scores lowest go at
// once, nothing trained: in all layers, in those alone that the paper's code does not protect, and in one layer at a time.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CausalScoring } from '../../engine/evaluation/causal-scoring.ts'
import { mean } from '../../engine/evaluation/statistics.ts'
import { disposeMatrices } from '../../engine/lora/adapter.ts'
import { loraPruneScores } from '../../engine/pruning/criteria/loraprune.ts'
import { Masks } from '../../engine/pruning/masks.ts'
import type { LayerScores } from '../../engine/pruning/scores.ts'
import { isPruned } from '../../engine/pruning/target-settings.ts'
import { scoredModel, withoutLowest } from './scored-model.ts'

const sample = join(import.meta.dirname, '../../resources/sample')
const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string', default: join(sample, 'model') },
    /** What groups are scored on, and what the loss is of. */
    data: { type: 'string', default: join(sample, 'train.jsonl') },
    text: { type: 'string', default: join(sample, 'heldout.txt') },
    length: { type: 'string', default: '128' },
    samples: { type: 'string', default: '16' },
    windows: { type: 'string', default: '8' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
})
const [length, windows] = [Number(values.length), Number(values.windows)]
const { settings, tokenizer, model, adapter, gradients } = await scoredModel(
  {
    checkpoint: values.checkpoint,
    data: [values.data],
    calibrationSamples: Number(values.samples),
    batchSize: 8,
    sequenceLength: length,
  },
  Number(values.threads),
)
const scoresOf = (headGroups: typeof settings.headGroups) =>
  loraPruneScores(model, adapter, gradients, { headGroups, normalise: 'module', reduction: 'sum', power: 1 })
const ofGroups = scoresOf('key-value-heads')
const ofHeads = scoresOf('query-heads')
disposeMatrices(gradients)

const ids = tokenizer.encode(readFileSync(values.text, 'utf8').slice(0, 10 * windows * length))
const items = Array.from({ length: windows }, (_, at) => ids.slice(at * length, (at + 1) * length + 1)).map(
  ([first, ...rest]) => ({ prefix: [first!], suffixes: [rest] }),
)

const gone = (scores: ArrayLike<number>, part = 0) => withoutLowest(scores, Math.round(part * scores.length))

type Parts = Partial<Record<'heads' | 'channels', number>>

/** Mean loss of a token where parts of the groups of some layers are gone, the lowest scores first. */
async function loss(parts: Parts, scores: readonly LayerScores[], isChosen: (layer: number) => boolean) {
  using masks = new Masks(
    model.config,
    scores.map(({ heads, channels }, layer) => ({
      heads: gone(heads, isChosen(layer) ? parts.heads : 0),
      channels: gone(channels, isChosen(layer) ? parts.channels : 0),
    })),
  )
  const found = await new CausalScoring(model, { masks: masks.tensors }).logLikelihoods(items)
  return (-mean(found.flat(2))).toFixed(2)
}

const layers = ofGroups.length
const everywhere = () => true
const unprotected = (layer: number) => isPruned(model.config, layer, { ...settings, uniform: false })
console.log(`loss of the dense model: ${await loss({}, ofGroups, everywhere)}\n`)
console.log('| what leaves | in all layers | protected layers stay whole |\n| --- | ---: | ---: |')
for (const part of [0.1, 0.2, 0.3, 0.45])
  await tell(`${Math.round(100 * part)} % of the channels`, { channels: part }, ofGroups)
for (const [name, part] of Object.entries({ 'a third': 1 / 3, 'two thirds': 2 / 3 })) {
  await tell(`${name} of the heads, with their keys and values`, { heads: part }, ofGroups)
  if (ofHeads[0]!.heads.length > ofGroups[0]!.heads.length)
    await tell(`${name} of the query heads`, { heads: part }, ofHeads)
}
console.log('\n| one layer | 30 % of its channels | a third of its heads |\n| ---: | ---: | ---: |')
for (let layer = 0; layer < layers; layer++) {
  const only = (other: number) => other === layer
  const cells = [await loss({ channels: 0.3 }, ofGroups, only), await loss({ heads: 1 / 3 }, ofGroups, only)]
  console.log(`| ${layer} | ${cells.join(' | ')} |`)
}

async function tell(name: string, parts: Parts, scores: readonly LayerScores[]): Promise<void> {
  console.log(`| ${name} | ${await loss(parts, scores, everywhere)} | ${await loss(parts, scores, unprotected)} |`)
}
