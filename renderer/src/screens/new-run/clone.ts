import { z } from 'zod'
import { engine } from '../../../../electron/contract/index.ts'
import { at, sameValue } from './changes.ts'
import { draftOfCluster, here } from './cluster-draft.ts'
import { type Draft, type DraftValue, emptyDraft } from './draft.ts'
import { isOfSweep, type Mode, settingsOf } from './form.ts'
import { typedLists } from './sweep-draft.ts'

/** A draft that would make the same job, with everything that stands at its default left out. */
export function draftOf(job: engine.Job, run: { id: number }): Draft {
  // An export is no run of this form: what it exported is what a new run would start from.
  if (job.kind === 'export') return { ...emptyDraft(), checkpoint: job.checkpoint }
  return job.kind === 'sweep' ? sweepDraftOf(job, run) : singleDraftOf(job, run)
}

/** What a sweep's base says stands in the form even where it is the default: a preset may have another. */
function sweepDraftOf(job: engine.SweepJob, run: { id: number }): Draft {
  const { base } = job
  const evaluation = engine.evaluationSchema.safeParse(base['evaluation'])
  const texts = z.array(z.string()).safeParse(base['data'])
  const draft: Draft = {
    ...emptyDraft(),
    mode: 'sweep',
    checkpoint: job.checkpoint,
    data: texts.success ? texts.data : [],
    ...(evaluation.success ? filesOf(evaluation.data) : {}),
    evaluate: evaluation.success,
    where: whereOf(job),
    sweep: { preset: job.preset ?? null, lists: typedLists(job.values), variants: job.variants },
    parentId: run.id,
  }
  for (const { key, standard } of settingsOf('sweep')) {
    const value = at(isOfSweep(key) ? job : base, key)
    if (value === undefined || (isOfSweep(key) && sameValue(value, standard))) continue
    draft.values[key] = typedOf(value)
  }
  return draft
}

/** Where it is done, in a folder beside its own. */
const whereOf = ({ cluster, out = '' }: engine.SweepJob | engine.EvaluateJob) =>
  cluster ? draftOfCluster(cluster, { folder: dirname(cluster.remote ?? out) }) : here()

/** The folder that a path is in. */
const dirname = (path: string) => path.replace(/[\\/][^\\/]*$/, '')

/** What an evaluation scores, as the pickers have it. */
const filesOf = ({ tasks, fewShotFrom, perplexity }: engine.EvaluationSettings) => ({
  tasks: { ...tasks },
  fewShotFrom: { ...fewShotFrom },
  perplexity: Object.entries(perplexity).map(([name, path]) => ({ name, path })),
})

function singleDraftOf(job: Exclude<engine.Job, engine.SweepJob | engine.ExportJob>, run: { id: number }): Draft {
  const evaluation = 'evaluation' in job ? job.evaluation : undefined
  const pipeline = job.kind === 'prune' && evaluation !== undefined && job.evaluateDense
  const mode: Mode = pipeline ? 'pipeline' : job.kind
  const draft: Draft = {
    ...emptyDraft(),
    mode,
    checkpoint: job.checkpoint,
    adapter: 'adapter' in job ? (job.adapter ?? '') : '',
    compareWith: 'compareWith' in job ? (job.compareWith ?? '') : '',
    data: 'data' in job ? job.data : [],
    evaluate: evaluation !== undefined,
    ...(evaluation ? filesOf(evaluation) : {}),
    where: job.kind === 'evaluate' ? whereOf(job) : here(),
    parentId: run.id,
  }
  for (const setting of settingsOf(mode)) {
    const value = at(job, setting.key)
    if (value === undefined || sameValue(value, setting.standard)) continue
    draft.values[setting.key] = typedOf(value)
  }
  return draft
}

const typedOf = (value: unknown): DraftValue =>
  typeof value === 'boolean' ? value : Array.isArray(value) ? value.map(String) : String(value)
