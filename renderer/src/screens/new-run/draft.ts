import { z } from 'zod'
import { engine } from '../../../../electron/contract.ts'
import { kindOf, type Mode, modes, schemaOf, type Setting, settingsOf } from './form.ts'

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
  shotsFrom: z.record(z.string(), z.string()).default({}),
  perplexity: z.array(z.object({ name: z.string(), path: z.string() })),
  /** By the dotted path of the setting. */
  values: z.record(z.string(), z.union([z.string(), z.boolean(), z.array(z.string())])),
  preset: z.string().nullable(),
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
  shotsFrom: {},
  perplexity: [],
  values: {},
  preset: null,
  parentId: null,
})

export type JobDraft = Record<string, unknown> & { kind: string }

/** Whether a job of this draft has an evaluation. */
export const evaluates = ({ mode, evaluate }: Draft): boolean =>
  mode === 'evaluate' || mode === 'pipeline' || (mode === 'prune' && evaluate)

/**
 * The job that the form describes, as far as it is filled in: what is empty is left out, and text that is no number stays
 * text, for the schema to refuse.
 *
 * @param decimal the decimal separator of the user's locale.
 */
export function jobOf(draft: Draft, decimal = '.'): JobDraft {
  const kind = kindOf(draft.mode)
  const job: JobDraft = { kind }
  if (draft.checkpoint) job['checkpoint'] = draft.checkpoint
  if (draft.adapter && (kind === 'merge' || kind === 'evaluate')) job['adapter'] = draft.adapter
  if (draft.data.length > 0 && (kind === 'prune' || kind === 'finetune')) job['data'] = draft.data
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
    ...(Object.keys(draft.shotsFrom).length > 0 && {
      shotsFrom: Object.fromEntries(Object.entries(draft.shotsFrom).filter(([task]) => draft.tasks[task])),
    }),
    perplexity: Object.fromEntries(draft.perplexity.map(({ name, path }) => [name.trim(), path])),
  }
  return job
}

function valueOf({ input }: Setting, value: DraftValue | undefined, decimal: string): unknown {
  if (value === undefined || value === '') return undefined
  if (input.kind === 'number' && typeof value === 'string') return parseNumber(value, decimal) ?? value
  if (input.kind === 'choice') return input.options.find((option) => String(option) === value) ?? value
  if (input.kind === 'lines' && Array.isArray(value)) return value.filter((line) => line.trim() !== '')
  return value
}

/** The number that was typed, or null where it is none. Thousands separators are refused: what they mean differs. */
export function parseNumber(text: string, decimal = '.'): number | null {
  const plain = text.trim().replace('−', '-')
  const written = decimal === '.' ? plain : plain.replace(decimal, '.')
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written) ? Number(written) : null
}

/** What is wrong with the job, by the dotted path of the setting; empty where nothing is. */
export function problemsOf(draft: Draft, decimal = '.'): Map<string, string> {
  const job = jobOf(draft, decimal)
  const problems = new Map<string, string>()
  // The services name the folder, so that the form need not.
  const parsed = schemaOf(draft.mode).safeParse(
    draft.mode === 'evaluate' ? job : { ...job, out: 'named by the services' },
  )
  for (const issue of parsed.error?.issues ?? []) {
    const key = keyOf(draft, issue.path.map(String))
    if (!problems.has(key)) problems.set(key, missing[key] && isMissing(issue) ? missing[key] : messageOf(issue))
  }
  if (evaluates(draft)) addEvaluationProblems(draft, problems)
  const { sampleEvery, samplePrompts } = job
  if (typeof sampleEvery === 'number' && sampleEvery > 0 && !(Array.isArray(samplePrompts) && samplePrompts.length > 0))
    problems.set('samplePrompts', 'Give the samples at least one prompt to continue, or write none.')
  return problems
}

function addEvaluationProblems(draft: Draft, problems: Map<string, string>): void {
  const names = draft.perplexity.map(({ name }) => name.trim())
  if (names.includes('')) problems.set('evaluation.perplexity', 'Give each text a name.')
  else if (new Set(names).size < names.length)
    problems.set('evaluation.perplexity', 'Two texts have the same name: give each one of its own.')
  const nothing = names.length === 0 && !Object.values(draft.tasks).some(Boolean)
  if (nothing && draft.values['evaluation.latency'] !== true)
    problems.set('evaluation', 'Choose at least one task file or text to score, or measure speed.')
}

/** Lists are one field of the form, whichever item is wrong; so are the pickers. */
function keyOf(draft: Draft, path: readonly string[]): string {
  const dotted = path.join('.')
  const keys = [...pickedLists, ...settingsOf(draft.mode).map(({ key }) => key)]
  return keys.find((key) => dotted === key || dotted.startsWith(`${key}.`)) ?? dotted
}

const pickedLists = ['evaluation.tasks', 'evaluation.perplexity', 'evaluation.shotsFrom', 'data']
const missing: Readonly<Record<string, string>> = {
  checkpoint: 'Choose a checkpoint.',
  adapter: 'Choose an adapter.',
  data: 'Choose at least one data set to train on.',
}
const isMissing = (issue: z.core.$ZodIssue) => issue.code === 'invalid_type' || issue.code === 'too_small'

/** What a schema's issue means, in a sentence beside a field. */
export function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'too_small':
      if (issue.origin === 'array') return `Choose at least ${issue.minimum}.`
      if (issue.origin === 'string') return 'This must not be empty.'
      return issue.inclusive ? `Must be ${issue.minimum} or more.` : `Must be more than ${issue.minimum}.`
    case 'too_big':
      if (issue.origin === 'array') return `At most ${issue.maximum} are allowed.`
      if (issue.origin === 'string') return `At most ${issue.maximum} characters are allowed.`
      return issue.inclusive ? `Must be ${issue.maximum} or less.` : `Must be less than ${issue.maximum}.`
    case 'invalid_type':
      if (issue.expected === 'int') return 'Must be a whole number.'
      return issue.expected === 'number' ? 'Must be a number, written without thousands separators.' : 'This is needed.'
    case 'invalid_value':
      return `Must be one of ${issue.values.map(String).join(', ')}.`
    default:
      return `${issue.message}.`
  }
}

/** A draft that would make the same job, with everything that stands at its default left out. */
export function draftOf(job: engine.Job, run: { id: number }): Draft {
  const evaluation = 'evaluation' in job ? job.evaluation : undefined
  const pipeline = job.kind === 'prune' && evaluation !== undefined && job.evaluateDense
  // A sweep is written as a file: what its form would be is that of one of its runs.
  const mode: Mode = pipeline ? 'pipeline' : job.kind === 'sweep' ? 'prune' : job.kind
  const draft: Draft = {
    ...emptyDraft(),
    mode,
    checkpoint: job.checkpoint,
    adapter: 'adapter' in job ? (job.adapter ?? '') : '',
    data: 'data' in job ? job.data : [],
    evaluate: evaluation !== undefined,
    tasks: { ...evaluation?.tasks },
    shotsFrom: { ...evaluation?.shotsFrom },
    perplexity: Object.entries(evaluation?.perplexity ?? {}).map(([name, path]) => ({ name, path })),
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
