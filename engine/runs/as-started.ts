import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import {
  evaluationSchema,
  type Job,
  type JobContext,
  isTaskName,
  saidOf,
  schemaOfKind,
  taskDescriptions,
} from '../contract/index.ts'
import { version } from '../shared/version.ts'
import { withAbsolutePaths } from './absolute-paths.ts'
import { startedRun } from './run-files.ts'

type Settings = Record<string, unknown>
type Shape = Readonly<Record<string, z.ZodType>>

/**
 * Settings that may differ between a run and its continuation: they do not change what is trained. The output dtype is among
 * them for weights that turn out too large for it.
 */
const mayDiffer = new Set([
  'out',
  'maxLostRows',
  'saveEvery',
  'sampleEvery',
  'samplePrompts',
  'sampleTokens',
  'outputDtype',
  'cluster',
])

/** The same of tasks: how many of them are worked on at once changes none. */
const mayDifferOfTasks = new Set([...mayDiffer, 'parallel'])

/** The settings that a continued run must share with the run that was started. */
function fixedSettings(job: Job): Settings {
  const free = job.kind === 'evaluate' || job.kind === 'sweep' ? mayDifferOfTasks : mayDiffer
  return Object.fromEntries(Object.entries(job).filter(([name]) => !free.has(name)))
}

/** What a job that continues a run goes by, and which settings it has from the run in place of today's default. */
interface AsStarted {
  job: Job
  kept: string[]
}

/**
 * A job that continues a run of another version goes on with the settings of the run wherever it says no more than today's
 * default: defaults change between versions, and a run is continued as it was started.
 *
 * @throws SecateurError where run.json is damaged
 */
export function asStarted(job: Job, context: Pick<JobContext, 'resume'>): AsStarted {
  const run = job.out === undefined ? null : startedRun(job.out, context)
  const shape: Shape | undefined = schemaOfKind(job.kind)?.shape
  if (run?.job.kind !== job.kind || !shape || run.software['secateur'] === version) return { job, kept: [] }
  const kept: string[] = []
  const merged = fromRun(fixedSettings(job), fixedSettings(run.job), shape, kept)
  if ('evaluation' in job && 'evaluation' in run.job && job.evaluation && run.job.evaluation)
    merged['evaluation'] = fromRun(job.evaluation, run.job.evaluation, evaluationSchema.shape, kept)
  return { job: { ...job, ...merged } as Job, kept }
}

/** @param kept takes the names of settings that the run has in another way */
function fromRun(now: Settings, earlier: Settings, shape: Shape, kept: string[]): Settings {
  const merged = { ...now }
  for (const name of Object.keys(shape)) {
    const field = shape[name]
    const standard = field instanceof z.ZodDefault ? field.def.defaultValue : undefined
    const isKept =
      name !== 'kind' && isDeepStrictEqual(now[name], standard) && !isDeepStrictEqual(earlier[name], now[name])
    if (!isKept) continue
    merged[name] = earlier[name]
    kept.push(name)
  }
  return merged
}

/** A setting that is not what a run was started with, as both jobs say it; null where there is none. */
export function changedSetting(started: Job, job: Job): { name: string; earlier: unknown; now: unknown } | null {
  const earlier = effectiveSettings(withAbsolutePaths(started))
  const now = effectiveSettings(withAbsolutePaths(job))
  const name = Object.keys({ ...earlier, ...now }).find((one) => !isDeepStrictEqual(earlier[one], now[one]))
  return name === undefined
    ? null
    : { name, earlier: effectiveSettings(started)[name], now: effectiveSettings(job)[name] }
}

/**
 * The settings that a continued run must share with the run that was started, by what they come to: spelt out or left to
 * their defaults, they are the same.
 */
function effectiveSettings(job: Job): Settings {
  const settings: Settings = fixedSettings(saidOf(job))
  const evaluation = 'evaluation' in job ? job.evaluation : undefined
  if (evaluation === undefined) return settings
  // What one program cannot run in the end another may: nothing that was trained depends on it.
  const { fewShot, runner: _, runnerType: __, ...others } = evaluation
  const shots = Object.keys(evaluation.tasks).map((name) => [
    name,
    // What a file of the user's own says is known once it is read.
    fewShot ?? (isTaskName(name) ? (taskDescriptions[name].examples ?? 0) : 'as its file says'),
  ])
  return { ...settings, evaluation: { ...others, fewShot: Object.fromEntries(shots) } }
}
