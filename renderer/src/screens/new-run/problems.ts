import type { z } from 'zod'
import { engine } from '../../../../electron/contract/index.ts'
import { capital } from '../../format.ts'
import { addClusterProblems } from './cluster-draft.ts'
import { type Draft, evaluates } from './draft.ts'
import { isOfTasks, schemaOf, settingsOf } from './form.ts'
import { type JobDraft, jobOf } from './job.ts'
import type { Sees } from './sees.ts'
import { addSweepProblems, type SweepDraft } from './sweep-draft.ts'
import { messageOf } from './typed.ts'

/** What is wrong with the job, by the dotted path of the setting; empty where nothing is. */
export function problemsOf(draft: Draft, decimal = '.', sees: Sees = null): Map<string, string> {
  const job = jobOf(draft, decimal, sees)
  const problems = new Map<string, string>()
  const check = (schema: z.ZodType, checked: object) => {
    // The services name the folder, so that the form need not.
    const parsed = schema.safeParse(draft.mode === 'evaluate' ? checked : { ...checked, out: 'named by the services' })
    for (const issue of parsed.error?.issues ?? []) {
      const key = keyOf(draft, issue.path.map(String))
      if (!problems.has(key)) problems.set(key, missing[key] && isMissing(issue) ? missing[key] : messageOf(issue))
    }
  }
  check(schemaOf(draft.mode), job)
  const run = draft.mode === 'sweep' ? runOf(job) : job
  if (draft.mode === 'sweep') {
    check(engine.pruneSchema, run)
    addSweepProblems(draft.sweep, decimal, problems)
  }
  if (isOfTasks(draft.mode)) addClusterProblems(draft.where, decimal, problems)
  addConflict(run, problems)
  if (evaluates(draft)) addEvaluationProblems(draft, sees, problems)
  if (sees === 'images' && draft.data.length > 1)
    problems.set('data', 'Images come from one data set: leave the others out.')
  const { sampleEvery, samplePrompts } = run
  if (typeof sampleEvery === 'number' && sampleEvery > 0 && !(Array.isArray(samplePrompts) && samplePrompts.length > 0))
    problems.set('samplePrompts', 'Give the samples at least one prompt to continue, or write none.')
  return problems
}

/** The pruning run that a sweep's runs are variations of. */
const runOf = ({ checkpoint, base }: JobDraft): JobDraft => ({ ...(base as object), kind: 'prune', checkpoint })

/** Of a job that is otherwise right: what its budget cannot stand beside, or what it would learn nothing from. */
function addConflict(run: JobDraft, problems: Map<string, string>): void {
  const { data: job } = engine.jobSchema.safeParse({ ...run, out: 'named by the services' })
  const conflict =
    job?.kind === 'prune'
      ? engine.conflictWithBudget(job)
      : job?.kind === 'finetune'
        ? engine.conflictWithTeacher(job)
        : null
  if (conflict && !problems.has(conflict.field)) problems.set(conflict.field, sentence(conflict.message))
}

const sentence = (text: string) => `${capital(text)}.`

function addEvaluationProblems(draft: Draft, sees: Sees, problems: Map<string, string>): void {
  if (sees === 'images') return addImageProblems(draft, problems)
  const names = draft.perplexity.map(({ name }) => name.trim())
  if (names.includes('')) problems.set('evaluation.perplexity', 'Give each text a name.')
  else if (new Set(names).size < names.length)
    problems.set('evaluation.perplexity', 'Two texts have the same name: give each one of its own.')
  // Some figures are measured without anything to score.
  const isMeasured = draft.mode === 'sweep' && draft.sweep.preset !== null && mayMeasureAlone(draft.sweep.preset)
  const nothing = names.length === 0 && !Object.values(draft.tasks).some(Boolean) && !isMeasured
  const ofImages = sees === null && isGiven(draft.values['evaluation.images'])
  if (nothing && !ofImages && draft.values['evaluation.latency'] !== true)
    problems.set('evaluation', 'Choose at least one task file or text to score, or measure speed.')
}

function addImageProblems({ values }: Draft, problems: Map<string, string>): void {
  if (!isGiven(values['evaluation.images']))
    problems.set('evaluation', 'Choose the labelled images that it is scored on.')
}

const isGiven = (value: unknown) => typeof value === 'string' && value.trim() !== ''

const mayMeasureAlone = (preset: NonNullable<SweepDraft['preset']>) => engine.sweepPresets[preset].scores === 'possible'

/** Lists are one field of the form, whichever item is wrong; so are the pickers. */
function keyOf(draft: Draft, path: readonly string[]): string {
  const dotted = path.join('.')
  const keys = [...pickedLists, ...settingsOf(draft.mode).map(({ key }) => key)]
  return keys.find((key) => dotted === key || dotted.startsWith(`${key}.`)) ?? dotted
}

const pickedLists = ['evaluation.tasks', 'evaluation.perplexity', 'evaluation.fewShotFrom', 'data']
const missing: Readonly<Record<string, string>> = {
  checkpoint: 'Choose a checkpoint.',
  adapter: 'Choose an adapter.',
  data: 'Choose at least one data set to train on.',
}
const isMissing = (issue: z.core.$ZodIssue) => issue.code === 'invalid_type' || issue.code === 'too_small'
