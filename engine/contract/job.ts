import { z } from 'zod'
import { clusterSchema } from './cluster.ts'
import { evaluationSchema } from './evaluation.ts'
import { exportSchema, schemaOfFormat } from './export.ts'
import { readPath, writtenPath } from './names.ts'
import { pruneSchema } from './prune.ts'
import { type OnProblem, renameLists, renameSettings } from './renamed.ts'
import { imageSize, machineSettings, mergeIntoOfMerge, outputDtype, trainingSettings } from './settings.ts'
import { sweepSchema } from './sweep.ts'

export const finetuneSchema = z.strictObject({
  kind: z.literal('finetune'),
  checkpoint: readPath,
  out: writtenPath.describe('run folder'),
  ...machineSettings,
  ...trainingSettings,
})

export const mergeSchema = z.strictObject({
  kind: z.literal('merge'),
  checkpoint: readPath,
  adapter: readPath.describe('PEFT adapter folder'),
  out: writtenPath.describe('folder of the merged checkpoint'),
  imageSize,
  outputDtype,
  mergeInto: mergeIntoOfMerge,
})

export const evaluateSchema = z.strictObject({
  kind: z.literal('evaluate'),
  checkpoint: readPath,
  adapter: readPath.optional().describe('PEFT adapter folder to apply'),
  out: writtenPath.optional().describe('folder that takes the scores, task by task'),
  imageSize,
  compareWith: readPath
    .optional()
    .describe('the dense checkpoint that it came from: scored too, with what changed from one to the other'),
  ...machineSettings,
  parallel: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe('parts at a time: each task, text and so on in a process of its own, with its share of the threads'),
  cluster: clusterSchema.optional().describe('do the parts on a cluster with Slurm, in place of this computer'),
  evaluation: evaluationSchema,
})

const jobs = [finetuneSchema, pruneSchema, mergeSchema, evaluateSchema, sweepSchema] as const
const anyJob = z.discriminatedUnion('kind', [...jobs, exportSchema])

/** The schema of a kind of job, of an export that of its format; undefined where there is no such kind. */
export const schemaOfKind = (kind: unknown, format?: unknown) =>
  kind === 'export' ? schemaOfFormat(format) : jobs.find(({ shape }) => shape.kind.value === kind)

/** A job of any kind; its settings may have the names of earlier versions (see renamed.ts). */
export const jobSchema = z.preprocess((job: z.input<typeof anyJob>, context) => {
  const schema = schemaOfKind(job?.kind, (job as { format?: unknown } | null)?.format)
  return schema ? renameJob(job, schema.shape, issuesOf(context)) : job
}, anyJob)

/** A job of a shape, with its evaluation or the settings of its runs, under the settings' names of today. */
export function renameJob<Given>(given: Given, shape: object, onProblem: OnProblem): Given {
  const job = renameSettings(given, shape, onProblem)
  if (typeof job !== 'object' || job === null || Array.isArray(job)) return job
  const at =
    (...place: string[]): OnProblem =>
    (inside, message) =>
      onProblem([...place, ...inside], message)
  const change = <Value>(name: string, rename: (value: Value) => Value) =>
    Object.hasOwn(shape, name) && Object.hasOwn(job, name)
      ? { [name]: rename((job as Record<string, Value>)[name]!) }
      : {}
  const ofRun = (settings: unknown, place: OnProblem) => renameJob(settings, pruneSchema.shape, place)
  return {
    ...job,
    ...change('evaluation', (evaluation) => {
      refuseLostNames(evaluation, at('evaluation'))
      return renameSettings(evaluation, evaluationSchema.shape, at('evaluation'))
    }),
    ...change('base', (base) => ofRun(base, at('base'))),
    ...change('values', (lists) => renameListsOfRuns(lists, at('values'))),
    ...change('variants', (groups) =>
      Array.isArray(groups) ? groups.map((group, index) => ofRun(group, at('variants', String(index)))) : groups,
    ),
  }
}

/** A schema of names leaves this one out, and nobody would hear of it. */
function refuseLostNames(evaluation: unknown, onProblem: OnProblem): void {
  for (const [setting, value] of Object.entries(evaluation ?? {}) as [string, unknown][])
    if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__'))
      onProblem([setting], 'has the name __proto__, which means something else to JavaScript: choose another')
}

function renameListsOfRuns(given: unknown, onProblem: OnProblem): unknown {
  const lists = renameLists(given, pruneSchema.shape, onProblem)
  const evaluations = z.object({ evaluation: z.array(z.unknown()) }).safeParse(lists).data?.evaluation
  if (!evaluations) return lists
  return {
    ...(lists as object),
    evaluation: evaluations.map((one) => renameSettings(one, evaluationSchema.shape, onProblem)),
  }
}

const issuesOf =
  ({ addIssue }: z.core.$RefinementCtx): OnProblem =>
  (at, message) =>
    addIssue({ code: 'custom', path: [...at], message })

const lists = sweepSchema.pick({ preset: true, values: true, variants: true })
/** Lists and groups of settings, without the checkpoint that they are for. */
export const sweepListsSchema = z.preprocess(
  (given: z.input<typeof lists>, context) => renameJob(given, lists.shape, issuesOf(context)),
  lists,
)
export type SweepLists = z.infer<typeof sweepListsSchema>

export type Job = z.infer<typeof jobSchema>
export type FinetuneJob = z.infer<typeof finetuneSchema>
export type MergeJob = z.infer<typeof mergeSchema>
export type EvaluateJob = z.infer<typeof evaluateSchema>

/** Whether an evaluation is done in parts, each by a process of its own, and not by one process. */
export const isInParts = ({ parallel, cluster }: Pick<EvaluateJob, 'parallel' | 'cluster'>): boolean =>
  parallel !== undefined || cluster !== undefined

/** A job that is made of tasks, each with a process and a run folder of its own. */
export type JobOfTasks = z.infer<typeof sweepSchema> | EvaluateJob

export const isOfTasks = (job: Job): job is JobOfTasks =>
  job.kind === 'sweep' || (job.kind === 'evaluate' && isInParts(job))
