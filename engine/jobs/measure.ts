import { chooseBackend } from '../backends/choose.ts'
import { type Checkpoint, openCheckpoint } from '../models/checkpoint.ts'
import { type EngineEvent, type JobContext, pruneSchema } from '../contract/index.ts'
import { announce } from '../estimate/announce.ts'
import { type Adapter, createAdapter, disposeMatrices, trainedMatrices } from '../lora/adapter.ts'
import { isOfImages } from '../models/encoder-config.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { linearNames } from '../models/tensors.ts'
import { adapterGradients } from '../pruning/statistics/calibration-gradients.ts'
import { blockInfluence } from '../pruning/criteria/depth.ts'
import { gradientScores } from '../pruning/criteria/gradient.ts'
import { loraPruneScores } from '../pruning/criteria/loraprune.ts'
import type { Kind } from '../models/family.ts'
import type { ModelView } from '../pruning/criteria/criterion.ts'
import type { LayerScores } from '../pruning/scores.ts'
import { fullMasks, type GroupMasks, selectMasks } from '../pruning/masks.ts'
import { blockLinearity } from '../pruning/statistics/linearity.ts'
import { measuredImages } from '../runs/image-data.ts'
import { loadWeights } from '../runs/load-weights.ts'
import { Random } from '../shared/random.ts'
import type { TrainingBatch } from '../data/batches.ts'
import { calibrationBatches } from '../data/calibration.ts'
import { loadAdapter } from '../lora/load-adapter.ts'
import type { MeasureSettings } from './settings.ts'

export interface Measurement {
  type: 'result'
  /** What is found of each layer. */
  measurements: LayerMeasurement[]
  /** Overlap that is expected of masks drawn by lot. */
  chance: number
}

export interface LayerMeasurement {
  /** 1 - mean cosine between input and output. */
  influence: number
  /** How well a linear map reproduces the block: 1 is perfectly. */
  linearity: number
  /** Of the groups that gradient-guided scoring removes, the part that LoRAPrune removes too. */
  overlap: Record<Kind, number>
  /** Rank correlation (Spearman) of the two criteria's scores. */
  correlation: Record<Kind, number>
}

/**
 * What can be told of every layer before anything is pruned: how much it changes its input, how linear it is, and how far
 * LoRAPrune's choice, from gradients of the adapter alone, is that of the true weight gradients on the same text. `emit`
 * hears the estimate and what is odd about the checkpoint and the settings.
 */
export async function measure(
  settings: MeasureSettings,
  signal: AbortSignal,
  emit: (event: EngineEvent) => void = () => {},
): Promise<Measurement> {
  using checkpoint = openCheckpoint(settings.checkpoint)
  await chooseBackend(settings)
  const { batchSize, calibrationSamples, rank } = settings
  const { config } = checkpoint
  const sequenceLength = isOfImages(config) ? config.maxPositions : settings.sequenceLength
  await announce({ kind: 'measure', batchSize, sequenceLength, calibrationSamples, rank }, checkpoint, emit)
  const batches = await batchesOf(settings, checkpoint, { emit, signal })
  using made = new DisposableStack()
  const model = await loadWeights(checkpoint, { emit, signal }, made)
  const adapter = adapterOf(settings, checkpoint, made)
  const view: ModelView = { model, adapter, masks: () => undefined, calibration: async () => batches }
  const scoring = { headGroups: settings.headGroups, normalise: 'module', reduction: 'sum' } as const

  const gradients = adapterGradients(model, adapter, batches)
  const estimated = loraPruneScores(model, adapter, gradients, { ...scoring, power: 1 })
  disposeMatrices(gradients)
  signal.throwIfAborted()
  const exact = gradientScores(view, batches, { ...scoring, gradientForm: 'element-wise' })
  signal.throwIfAborted()
  const influence = blockInfluence(view, batches)
  const linearity = blockLinearity(model, adapter, batches)

  const target = {
    removes: 'groups',
    addsBiases: false,
    ratio: settings.ratio,
    headGroups: settings.headGroups,
    uniform: true,
    protectFirst: 0,
    protectLast: 0,
    channelMultiple: 1,
    ranking: 'local',
    floor: 0,
    rounding: 'down',
  } as const
  const chosen = (scores: LayerScores[]) =>
    selectMasks(model.config, fullMasks(model.config, settings.headGroups), scores, settings.ratio, target)
  const [ours, theirs] = [chosen(estimated), chosen(exact)]
  return {
    type: 'result',
    chance: settings.ratio,
    measurements: model.layers.map((_, layer) => ({
      influence: influence[layer]!,
      linearity: linearity[layer]!,
      overlap: byKind((kind) => overlap(ours[layer]!, theirs[layer]!, kind)),
      correlation: byKind((kind) => rankCorrelation(estimated[layer]![kind], exact[layer]![kind])),
    })),
  }
}

/** The adapter that is given, or a fresh one. */
function adapterOf(settings: MeasureSettings, checkpoint: Checkpoint, made: DisposableStack): Adapter {
  if (settings.adapter !== undefined) return made.use(loadAdapter(settings.adapter, checkpoint))
  const { alpha } = pruneSchema.pick({ alpha: true }).parse({})
  const adapter = createAdapter(
    checkpoint.config,
    { rank: settings.rank, alpha, dropout: 0, rankStabilised: false, targetModules: linearNames(checkpoint.config) },
    new Random(settings.seed).fork('adapter'),
  )
  made.defer(() => disposeMatrices(trainedMatrices(adapter)))
  return adapter
}

async function batchesOf(
  settings: MeasureSettings,
  checkpoint: Checkpoint,
  context: Pick<JobContext, 'emit' | 'signal'>,
): Promise<TrainingBatch[]> {
  if (isOfImages(checkpoint.config)) return await measuredImages(settings, checkpoint, context)
  const calibration = { ...settings, calibrationData: [], calibrationShares: [], calibrationSequenceLength: undefined }
  return await calibrationBatches(calibration, await openTokenizer(checkpoint), context)
}

const byKind = (value: (kind: Kind) => number): Record<Kind, number> => ({
  heads: value('heads'),
  channels: value('channels'),
})

/** Part of the groups that one mask removes that the other removes too. */
function overlap(one: GroupMasks[number], other: GroupMasks[number], kind: Kind): number {
  let [both, removed] = [0, 0]
  for (const [group, kept] of other[kind].entries()) {
    if (kept === 1) continue
    removed++
    if (one[kind][group] === 0) both++
  }
  return removed === 0 ? 1 : both / removed
}

/** Spearman's coefficient of two score vectors without ties: this form is exact, where one by covariances rounds. */
export function rankCorrelation(one: Float32Array, other: Float32Array): number {
  const [a, b] = [ranksOf(one), ranksOf(other)]
  const n = a.length
  const squares = a.reduce((sum, rank, i) => sum + (rank - b[i]!) ** 2, 0)
  return n < 2 ? 1 : 1 - (6 * squares) / (n * (n * n - 1))
}

function ranksOf(values: Float32Array): Float64Array {
  const order = [...values.keys()].sort((one, other) => values[one]! - values[other]! || one - other)
  const ranks = new Float64Array(values.length)
  for (const [rank, index] of order.entries()) ranks[index] = rank
  return ranks
}
