import type {
  EvaluationSettings,
  ExportJob,
  FinetuneJob,
  JobContext,
  Layer,
  Phase,
  PhaseWork,
  PruneJob,
} from '../contract/index.ts'
import { comparedTokens } from '../evaluation/closeness.ts'
import { exportSeconds } from '../export/size.ts'
import { type Checkpoint, configOf } from '../models/checkpoint.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { SecateurError } from '../shared/errors.ts'
import { debug } from '../shared/log.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { forwardOperations, stepOperations } from './operations.ts'
import { placementOf } from './placement.ts'
import { scoringOperations } from './scoring-cost.ts'
import { selfDataPasses, selfDataTokens } from './self-data.ts'
import { scoredTokens, stepsOf, validationTokens } from './tokens.ts'
import type { SingleJob } from './work.ts'

/** Seconds that a layer costs in every step beside its arithmetic. */
const secondsPerLayer = 0.01
/** Bytes a second at which weights are read, merged and written. */
const diskSpeed = 200e6

/** The work of a job, phase by phase. */
export interface JobWork {
  phases: Partial<Record<Phase, PhaseWork>>
  /** Optimiser steps; 0 of a job without. */
  steps: number
  /** Whether numbers of tokens stand for all rows that come from the first ones. */
  guessed: boolean
}

interface Facts {
  layers: readonly Layer[]
  /** Seconds that weights which do not stay on a card take in every pass. */
  secondsPerPass: number
  /** Tokens of tasks and texts that are known already, by their names; of all others they are told from first rows. */
  scored?: Readonly<Record<string, number>> | undefined
}

/**
 * What the phases of a job compute and move, from headers and the first rows of the data.
 *
 * @param facts.layers of the model after the job
 */
export async function workOf(
  job: SingleJob,
  checkpoint: Checkpoint,
  facts: Facts,
  control: WorkControl,
): Promise<JobWork> {
  const moved: PhaseWork = { operations: 0, seconds: checkpoint.bytes / diskSpeed }
  switch (job.kind) {
    case 'export':
      return { phases: exportWork(job, checkpoint), steps: 0, guessed: false }
    case 'merge':
      return { phases: { writing: { ...moved, seconds: 2 * moved.seconds } }, steps: 0, guessed: false }
    case 'evaluate': {
      const dense = job.compareWith === undefined ? null : configOf(job.compareWith)
      const phases = await scoringWork(job.evaluation, checkpoint.config, { ...facts, dense }, control)
      return { phases: withSeconds(phases, moved.seconds), steps: 0, guessed: true }
    }
    case 'finetune':
    case 'prune': {
      const { steps, ...trained } = await trainingWork(job, checkpoint, facts, control)
      const evaluation = job.kind === 'prune' ? job.evaluation : undefined
      const dense = job.kind === 'prune' && job.evaluateDense ? checkpoint.config : null
      const phases: JobWork['phases'] = {
        reading: moved,
        ...trained,
        writing: job.kind === 'prune' ? moved : { operations: 0, seconds: 0 },
        ...(evaluation && (await scoringWork(evaluation, checkpoint.config, { ...facts, dense }, control))),
      }
      return { phases, steps, guessed: evaluation !== undefined || (steps > 0 && job.steps === undefined) }
    }
  }
}

/** Of an export: weights are rounded for a text, where there is one, as they are written. */
export function exportWork(job: ExportJob, checkpoint: Checkpoint): JobWork['phases'] {
  const { calibrating, writing, proving } = exportSeconds(job, checkpoint)
  return {
    writing: {
      operations: 0,
      seconds: calibrating + writing,
      ...(calibrating > 0 && { items: { calibrating, writing } }),
    },
    ...(job.proof && { proving: { operations: 0, seconds: proving } }),
  }
}

/** The first of the phases also reads the weights. */
function withSeconds(phases: JobWork['phases'], seconds: number): JobWork['phases'] {
  const first = phases['scoring dense'] ? 'scoring dense' : 'scoring'
  return { ...phases, [first]: { ...phases[first]!, seconds: phases[first]!.seconds + seconds } }
}

/** Operations of an optimiser's steps, of what is measured between them, and of the rows that the model writes before. */
async function trainingWork(
  job: FinetuneJob | PruneJob,
  checkpoint: Checkpoint,
  { secondsPerPass }: Facts,
  control: WorkControl,
): Promise<{ steps: number; training: PhaseWork; 'writing self-data'?: PhaseWork }> {
  const { config } = checkpoint
  // What is removed at once and not healed is not trained.
  const isTrained = job.kind === 'finetune' || job.healing || job.schedule === 'iterative'
  const steps = isTrained ? (job.steps ?? (await stepsOf(job, control))) : 0
  const measured = await validationTokens(job, control)
  const operations =
    steps * stepOperations(job, config) +
    (Math.floor(steps / job.validationEvery) + 1) * measured * forwardOperations(config, job.sequenceLength) +
    (job.kind === 'prune' ? scoringOperations(job, config, steps, job.ratio) : 0)
  const seconds = steps * (config.layers.length * secondsPerLayer + job.gradientAccumulation * 2 * secondsPerPass)
  const written = selfDataPasses(job, checkpoint)
  return {
    steps,
    training: { operations, seconds },
    ...(job.selfData > 0 && {
      'writing self-data': {
        operations: selfDataTokens(job) * forwardOperations(config, job.selfDataTokens),
        seconds: written.seconds + written.passes * secondsPerPass,
      },
    }),
  }
}

/** What scoring the model computes, and, where a dense one is given, scoring that and laying the two side by side. */
async function scoringWork(
  evaluation: EvaluationSettings,
  config: ModelConfig,
  { layers, secondsPerPass, dense, scored }: Facts & { dense: ModelConfig | null },
  control: WorkControl,
): Promise<JobWork['phases']> {
  const items = await scoredTokens(evaluation, config.maxPositions, control, scored)
  const tokens = Object.values(items).reduce((sum, each) => sum + each, 0)
  const window = config.patchValues === undefined ? evaluation.window : config.maxPositions
  const workOn = (model: ModelConfig): PhaseWork => ({
    operations: tokens * forwardOperations(model, window),
    seconds: (tokens / evaluation.batchTokens) * secondsPerPass,
    items,
  })
  const after = { ...config, layers: [...layers] }
  if (!dense) return { scoring: workOn(after) }
  const compared = Object.keys(evaluation.perplexity).reduce(
    (sum, name) => sum + Math.min(comparedTokens, items[name] ?? 0),
    0,
  )
  const perToken = forwardOperations(dense, window) + forwardOperations(after, window)
  return {
    'scoring dense': workOn(dense),
    scoring: workOn(after),
    comparing: { operations: compared * perToken, seconds: 0 },
  }
}

/**
 * Tells the work of a job's phases, by which the run as a whole is timed. What cannot be told yet is left out.
 *
 * @param scored tokens of the tasks and texts that were read when they were checked
 */
export async function announceWork(
  job: FinetuneJob | PruneJob | (SingleJob & { kind: 'evaluate' }),
  checkpoint: Checkpoint,
  layers: readonly Layer[],
  { emit, signal }: JobContext,
  scored?: Facts['scored'],
): Promise<void> {
  const secondsPerPass = placementOf(job, checkpoint)?.secondsPerPass ?? 0
  try {
    const { phases } = await workOf(job, checkpoint, { layers, secondsPerPass, scored }, { signal, progress: () => {} })
    emit({ type: 'work', phases })
  } catch (error) {
    if (signal.aborted || !(error instanceof SecateurError)) throw error
    // The job reads the same files next, and says what is wrong with them where it matters.
    debug('estimate', () => `the work of the phases cannot be told: ${error.message}`)
  }
}
