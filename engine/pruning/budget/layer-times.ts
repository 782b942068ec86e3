import { z } from 'zod'
import { type Choice, chooseBackend } from '../../backends/choose.ts'
import { isTime, parseBudget, type PruneJob } from '../../contract/index.ts'
import { generate } from '../../evaluation/generation.ts'
import { disposeModel } from '../../models/load.ts'
import type { HeadGroups } from '../../models/family.ts'
import type { LayerShape, ModelConfig } from '../../models/model-config.ts'
import { familyOf } from '../../models/registry.ts'
import { layerWeights } from '../../models/tensors.ts'
import type { LayerTimes, PartTimes } from './time-costs.ts'
import { groupCount } from '../groups.ts'
import type { TargetModel } from '../job-target.ts'
import { badSetting, SecateurError } from '../../shared/errors.ts'
import { keyOfMeasurement, measuredOnce } from '../../shared/measured.ts'
import { Random, randomIds } from '../../shared/random.ts'
import { version } from '../../shared/version.ts'
import type { WorkControl } from '../../shared/work-control.ts'
import { frozenWeight } from '../../tensor/frozen-weight.ts'
import { modelOf } from '../../models/drawn-model.ts'

const points = z.array(z.object({ groups: z.int().min(1), milliseconds: z.number() })).min(1)
const partTimes = z.object({ fixed: z.number(), layer: z.number(), heads: points, channels: points })
export const layerTimesSchema = z.object({ prompt: partTimes, generation: partTimes })

/** Weights of the layers of a model that is timed, about: many layers tell more, and memory for few is always there. */
const timedWeights = 3e8
const mostLayers = 8
/** Runs after one that warms up, until they took so long; the fastest counts, since others may share the device. */
const fewestRuns = 5
const mostRuns = 50
const runSeconds = 0.5
/** Parts of the groups that are timed, beside all of them. */
const parts = [0.75, 0.5, 0.25]

export type TimesJob = Pick<
  PruneJob,
  'device' | 'threads' | 'headGroups' | 'speedPrompt' | 'speedTokens' | 'outputDtype' | 'budget'
>

interface Control extends WorkControl {
  /** Seconds that the runs of one model take at least. */
  seconds?: number
}

/** The times that a job's budget needs; null where it needs none. */
export const timesForBudget = async (job: TimesJob, model: TargetModel, control: Control): Promise<LayerTimes | null> =>
  job.budget !== undefined && isTime(parseBudget(job.budget).measure) ? await layerTimes(job, model, control) : null

/**
 * What a layer takes on the device of a job, by its numbers of heads and channels: measured once on models of random weights
 * of the checkpoint's widths, and kept for this shape, type, device, these lengths and this version.
 *
 * @throws SecateurError for models of images, and where it is stopped
 */
export async function layerTimes(job: TimesJob, model: TargetModel, control: Control): Promise<LayerTimes> {
  const { config } = model
  if (familyOf(config).task !== 'causal-lm')
    throw badSetting('budget', 'prompts and generation are of language models: say parameters or memory')
  if (job.speedPrompt + job.speedTokens > config.maxPositions)
    throw badSetting(
      'speedPrompt',
      `${job.speedPrompt} tokens and ${job.speedTokens} after them are more than the ${config.maxPositions} positions of the model`,
    )
  const choice = await chooseBackend(job)
  return await measuredOnce('layer-times.json', layerTimesSchema, keyOf(job, model, choice), () =>
    measure(config, model.dtype, job, control),
  )
}

function keyOf(job: TimesJob, { config, dtype }: TargetModel, { name, device, driver, threads }: Choice): string {
  const { layers, source: _source, ...widths } = config
  const { headGroups, speedPrompt, speedTokens } = job
  return keyOfMeasurement([
    version,
    widths,
    largest(layers),
    dtype,
    headGroups,
    name,
    device,
    driver,
    threads,
    speedPrompt,
    speedTokens,
  ])
}

/** The layer with most heads, whose attention stands for all. */
const largest = (layers: readonly LayerShape[]): LayerShape =>
  layers.reduce((one, other) => (other.heads * 1e6 + other.channels > one.heads * 1e6 + one.channels ? other : one))

async function measure(
  config: ModelConfig,
  dtype: TargetModel['dtype'],
  { headGroups, speedPrompt, speedTokens }: TimesJob,
  { signal, progress, seconds = runSeconds }: Control,
): Promise<LayerTimes> {
  const whole = largest(config.layers)
  const groups = {
    heads: groupCount({ ...config, layers: [whole] }, 0, 'heads', headGroups),
    channels: whole.channels,
  }
  const fewer = { heads: fewerThan(groups.heads), channels: fewerThan(groups.channels) }
  const [perLayer] = layerWeights({ ...config, layers: [whole] })
  const layers = Math.max(2, Math.min(mostLayers, Math.floor(timedWeights / perLayer!)))
  const total = 2 + fewer.heads.length + fewer.channels.length
  let done = 0
  const time = async (shape: LayerShape, count = layers): Promise<Times> => {
    const timed = await timeModel({ ...config, layers: Array.from({ length: count }, () => shape) }, dtype, {
      prompt: speedPrompt,
      tokens: speedTokens,
      seconds,
      signal,
    })
    progress(++done, total)
    return timed
  }
  const all = await time(whole)
  const one = await time(whole, 1)
  const heads: [number, Times][] = []
  for (const count of fewer.heads) heads.push([count, await time(withHeads(whole, count, groups.heads, headGroups))])
  const channels: [number, Times][] = []
  for (const count of fewer.channels) channels.push([count, await time({ ...whole, channels: count })])
  const partOf = (what: keyof Times): PartTimes => {
    const layer = Math.max(0, (all[what] - one[what]) / (layers - 1))
    const fixed = Math.max(0, one[what] - layer)
    const ofLayer = (most: number, given: [number, Times][]) => [
      { groups: most, milliseconds: layer },
      ...given.map(([count, times]) => ({ groups: count, milliseconds: (times[what] - fixed) / layers })),
    ]
    return { fixed, layer, heads: ofLayer(groups.heads, heads), channels: ofLayer(groups.channels, channels) }
  }
  return { prompt: partOf('prompt'), generation: partOf('generation') }
}

/** Numbers of groups that are timed beside all of them. */
const fewerThan = (all: number): number[] =>
  [...new Set(parts.map((part) => Math.max(1, Math.round(part * all))))].filter((count) => count < all)

/** Query heads leave with their key/value heads, or alone; those that are left read evenly. */
function withHeads(whole: LayerShape, count: number, all: number, headGroups: HeadGroups): LayerShape {
  const { keyValueHeadOf: _, ...shape } = whole
  const heads = Math.max(1, Math.round((whole.heads * count) / all))
  if (headGroups === 'key-value-heads')
    return { ...shape, heads, keyValueHeads: Math.max(1, Math.round((whole.keyValueHeads * count) / all)) }
  // As many key/value heads as divide the query heads: their cost is small beside that of the queries.
  const keyValueHeads = Array.from({ length: whole.keyValueHeads }, (__, i) => whole.keyValueHeads - i).find(
    (n) => heads % n === 0,
  )
  return { ...shape, heads, keyValueHeads: keyValueHeads ?? 1 }
}

/** Milliseconds of reading a prompt, and of a token generated after it. */
interface Times {
  prompt: number
  generation: number
}

async function timeModel(
  config: ModelConfig,
  dtype: TargetModel['dtype'],
  { prompt, tokens, seconds, signal }: { prompt: number; tokens: number; seconds: number; signal: AbortSignal },
): Promise<Times> {
  const model = modelOf(config, (rows, columns) => filled(rows, columns, dtype))
  try {
    const random = new Random(0)
    const ids = randomIds(random, prompt, config.vocabularySize)
    const best: Times = { prompt: Infinity, generation: Infinity }
    let started = Infinity
    for (let run = 0; run < mostRuns && (run <= fewestRuns || performance.now() - started < 1000 * seconds); run++) {
      if (run === 1) started = performance.now()
      const result = await generate(model, ids, {
        tokens: tokens + 1,
        temperature: 0,
        topP: 1,
        random,
        stop: [],
        signal,
      })
      if (run === 0) continue
      best.prompt = Math.min(best.prompt, 1000 * result.promptSeconds)
      // The first new token comes out of the prompt.
      best.generation = Math.min(
        best.generation,
        (1000 * result.generationSeconds) / Math.max(1, result.ids.length - 1),
      )
    }
    return best
  } catch (error) {
    if (signal.aborted)
      throw new SecateurError('interrupted', 'stopped while the speed of layers was measured', { cause: error })
    throw error
  } finally {
    disposeModel(model)
  }
}

/** A weight with memory of its own, as a real one has: what is shared stays in the processor's cache. */
function filled(rows: number, columns: number, dtype: TargetModel['dtype']) {
  const bytes = new Uint8Array(rows * columns * (dtype === 'float32' ? 4 : 2)).fill(0x2c)
  return frozenWeight({ name: 'random', dtype, shape: [rows, columns], bytes })
}
