import { z } from 'zod'
import { engine } from '../../../../electron/contract/index.ts'
import { isOfSweep, kindOf, type Mode, modes, schemaOf, settingsOf } from './form.ts'
import { addSweepProblems, emptySweep, listsOf, type SweepDraft, sweepDraftSchema, typedLists } from './sweep-draft.ts'
import { messageOf, valueOf } from './typed.ts'

/** What the user has put into the form. Numbers stand as they were typed; a setting that is not there has its default. */
export const draftSchema = z.object({
  mode: z.enum(modes),
  name: z.string(),
  checkpoint: z.string(),
  adapter: z.string(),
  data: z.array(z.string()),
  /** Whether a prune run scores its result. */
  evaluate: z.boolean(),
  tasks: z.record(z.string(), z.string()),
  /** Train files that solved examples come from, by task. */
  fewShotFrom: z.record(z.string(), z.string()).default({}),
  perplexity: z.array(z.object({ name: z.string(), path: z.string() })),
  /** By the dotted path of the setting. */
  values: z.record(z.string(), z.union([z.string(), z.boolean(), z.array(z.string())])),
  preset: z.string().nullable(),
  /** What the runs of a sweep differ in. */
  sweep: sweepDraftSchema.default(() => emptySweep()),
  /** Run that this one changes. */
  parentId: z.int().nullable(),
})
export type Draft = z.infer<typeof draftSchema>
export type DraftValue = Draft['values'][string]

export const emptyDraft = (): Draft => ({
  mode: 'pipeline',
  name: '',
  checkpoint: '',
  adapter: '',
  data: [],
  evaluate: false,
  tasks: {},
  fewShotFrom: {},
  perplexity: [],
  values: {},
  preset: null,
  sweep: emptySweep(),
  parentId: null,
})

export type JobDraft = Record<string, unknown> & { kind: string }

/** Whether a job of this draft may have an evaluation, and whether that is the user's choice. */
export const mayEvaluate = ({ mode, sweep }: Draft): 'always' | 'if wanted' | 'never' => {
  if (mode === 'evaluate' || mode === 'pipeline') return 'always'
  if (mode === 'sweep' && sweep.preset !== null && engine.sweepPresets[sweep.preset].scores === 'none') return 'never'
  return mode === 'prune' || mode === 'sweep' ? 'if wanted' : 'never'
}

/** Whether a job of this draft has an evaluation. */
export const evaluates = (draft: Draft): boolean => {
  const may = mayEvaluate(draft)
  return may === 'always' || (may === 'if wanted' && draft.evaluate)
}

/**
 * The job that the form describes, as far as it is filled in: what is empty is left out, and text that is no number stays
 * text, for the schema to refuse.
 *
 * @param decimal the decimal separator of the user's locale.
 */
export function jobOf(draft: Draft, decimal = '.'): JobDraft {
  return draft.mode === 'sweep' ? sweepOf(draft, decimal) : singleOf(draft, decimal)
}

/** The settings that the runs share are those of a pruning run; a setting that has a list of its own is in that alone. */
function sweepOf(draft: Draft, decimal: string): JobDraft {
  const { preset, lists, variants } = draft.sweep
  const { kind, checkpoint, ...settings } = singleOf(draft, decimal)
  const entries = Object.entries(settings)
  return {
    kind,
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(preset === null ? {} : { preset }),
    ...Object.fromEntries(entries.filter(([key]) => isOfSweep(key))),
    base: Object.fromEntries(entries.filter(([key]) => !isOfSweep(key) && !Object.hasOwn(lists, key))),
    values: listsOf(lists, decimal),
    ...(variants.length > 0 ? { variants } : {}),
  }
}

function singleOf(draft: Draft, decimal: string): JobDraft {
  const kind = kindOf(draft.mode)
  const job: JobDraft = { kind }
  if (draft.checkpoint) job['checkpoint'] = draft.checkpoint
  if (draft.adapter && (kind === 'merge' || kind === 'evaluate')) job['adapter'] = draft.adapter
  if (draft.data.length > 0 && kind !== 'merge' && kind !== 'evaluate') job['data'] = draft.data
  const evaluation: Record<string, unknown> = {}
  for (const setting of settingsOf(draft.mode)) {
    const value = valueOf(setting, draft.values[setting.key], decimal)
    if (value === undefined) continue
    if (setting.key.startsWith('evaluation.')) evaluation[setting.key.slice('evaluation.'.length)] = value
    else job[setting.key] = value
  }
  if (!evaluates(draft)) {
    delete job['evaluateDense']
    return job
  }
  if (draft.mode === 'pipeline') job['evaluateDense'] = true
  job['evaluation'] = {
    ...evaluation,
    tasks: Object.fromEntries(Object.entries(draft.tasks).filter(([, path]) => path !== '')),
    ...(Object.keys(draft.fewShotFrom).length > 0 && {
      fewShotFrom: Object.fromEntries(Object.entries(draft.fewShotFrom).filter(([task]) => draft.tasks[task])),
    }),
    perplexity: Object.fromEntries(draft.perplexity.map(({ name, path }) => [name.trim(), path])),
  }
  return job
}

/** What is wrong with the job, by the dotted path of the setting; empty where nothing is. */
export function problemsOf(draft: Draft, decimal = '.'): Map<string, string> {
  const job = jobOf(draft, decimal)
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
  if (evaluates(draft)) addEvaluationProblems(draft, problems)
  const { sampleEvery, samplePrompts } = run
  if (typeof sampleEvery === 'number' && sampleEvery > 0 && !(Array.isArray(samplePrompts) && samplePrompts.length > 0))
    problems.set('samplePrompts', 'Give the samples at least one prompt to continue, or write none.')
  return problems
}

/** The pruning run that a sweep's runs are variations of. */
const runOf = ({ checkpoint, base }: JobDraft): JobDraft => ({ ...(base as object), kind: 'prune', checkpoint })

function addEvaluationProblems(draft: Draft, problems: Map<string, string>): void {
  const names = draft.perplexity.map(({ name }) => name.trim())
  if (names.includes('')) problems.set('evaluation.perplexity', 'Give each text a name.')
  else if (new Set(names).size < names.length)
    problems.set('evaluation.perplexity', 'Two texts have the same name: give each one of its own.')
  // Some figures are measured without anything to score.
  const isMeasured = draft.mode === 'sweep' && draft.sweep.preset !== null && mayMeasureAlone(draft.sweep.preset)
  const nothing = names.length === 0 && !Object.values(draft.tasks).some(Boolean) && !isMeasured
  if (nothing && draft.values['evaluation.latency'] !== true)
    problems.set('evaluation', 'Choose at least one task file or text to score, or measure speed.')
}

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

/** A draft that would make the same job, with everything that stands at its default left out. */
export function draftOf(job: engine.Job, run: { id: number }): Draft {
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

/** What an evaluation scores, as the pickers have it. */
const filesOf = ({ tasks, fewShotFrom, perplexity }: engine.EvaluationSettings) => ({
  tasks: { ...tasks },
  fewShotFrom: { ...fewShotFrom },
  perplexity: Object.entries(perplexity).map(([name, path]) => ({ name, path })),
})

function singleDraftOf(job: Exclude<engine.Job, engine.SweepJob>, run: { id: number }): Draft {
  const evaluation = 'evaluation' in job ? job.evaluation : undefined
  const pipeline = job.kind === 'prune' && evaluation !== undefined && job.evaluateDense
  const mode: Mode = pipeline ? 'pipeline' : job.kind
  const draft: Draft = {
    ...emptyDraft(),
    mode,
    checkpoint: job.checkpoint,
    adapter: 'adapter' in job ? (job.adapter ?? '') : '',
    data: 'data' in job ? job.data : [],
    evaluate: evaluation !== undefined,
    ...(evaluation ? filesOf(evaluation) : {}),
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

export const sameValue = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** The value at a dotted path. */
export const at = (object: unknown, key: string): unknown =>
  key
    .split('.')
    .reduce<unknown>(
      (value, name) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, name)
          ? (value as Record<string, unknown>)[name]
          : undefined,
      object,
    )

/** Leaves of a job by their dotted path; lists, and the files of an evaluation, count as one. */
export function flatten(job: object, prefix = ''): Map<string, unknown> {
  const flat = new Map<string, unknown>()
  for (const [name, value] of Object.entries(job)) {
    const key = prefix + name
    if (typeof value !== 'object' || value === null || Array.isArray(value)) flat.set(key, value)
    else for (const [inner, leaf] of flatten(value as object, `${key}.`)) flat.set(inner, leaf)
  }
  return flat
}

export interface SettingChange {
  readonly key: string
  readonly before: unknown
  readonly after: unknown
}

/** Settings that differ between two jobs, in the order of their names in either; run folders always differ. */
export function changesBetween(before: object, after: object): SettingChange[] {
  const [old, fresh] = [flatten(before), flatten(after)]
  return [...new Set([...old.keys(), ...fresh.keys()])]
    .filter((key) => key !== 'out' && !sameValue(old.get(key), fresh.get(key)))
    .map((key) => ({ key, before: old.get(key), after: fresh.get(key) }))
}
