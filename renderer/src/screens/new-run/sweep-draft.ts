import { z } from 'zod'
import { engine } from '../../../../electron/contract/index.ts'
import { listableSettings, type Setting } from './form.ts'
import { messageOf, valueOf } from './typed.ts'

/** What the user has put into the form of a sweep beyond the settings that all its runs share. */
export const sweepDraftSchema = z.object({
  preset: engine.sweepPreset.nullable(),
  /** By setting: numbers and texts as they were typed, choices as they were ticked. */
  lists: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  /** Groups of settings, which a file can have and the form keeps. */
  variants: z.array(z.record(z.string(), z.unknown())),
})
export type SweepDraft = z.infer<typeof sweepDraftSchema>
export type ListDraft = SweepDraft['lists'][string]

export const emptySweep = (): SweepDraft => ({ preset: null, lists: {}, variants: [] })

/** Whether the figure shows nothing without scores; own lists are for comparing scores as well. */
export const needsScores = ({ preset }: SweepDraft): boolean =>
  preset === null || engine.sweepPresets[preset].scores === 'needed'

/** Whether the values of a setting are ticked rather than typed. */
export const isTicked = ({ input }: Setting): boolean => input.kind === 'choice' || input.kind === 'switch'

/** Choices of a ticked list, as they stand in a draft. */
export const choicesOf = ({ input }: Setting): string[] =>
  input.kind === 'choice' ? input.options.map(String) : input.kind === 'switch' ? ['true', 'false'] : []

/** A list in a draft, from the values themselves. */
export function typedList(setting: Setting, values: readonly unknown[]): ListDraft {
  if (isTicked(setting)) return choicesOf(setting).filter((choice) => values.some((value) => String(value) === choice))
  return values.map(String).join('; ')
}

export function typedLists(values: engine.SweepJob['values']): SweepDraft['lists'] {
  const settings = new Map(listableSettings().map((setting) => [setting.key, setting]))
  return Object.fromEntries(
    Object.entries(values).map(([key, list]) => {
      const setting = settings.get(key)
      return [key, setting ? typedList(setting, list) : list.map((value) => JSON.stringify(value)).join('; ')]
    }),
  )
}

/**
 * The values of a list: numbers apart by semicolons or spaces, since a comma may be the decimal separator; texts by
 * semicolons. What is no number stays text, for the schema to refuse.
 */
export function valuesOf(setting: Setting, list: ListDraft, decimal: string): unknown[] {
  if (setting.input.kind === 'switch')
    return choicesOf(setting).flatMap((choice) => (list.includes(choice) ? choice === 'true' : []))
  const parts = Array.isArray(list) ? list : list.split(setting.input.kind === 'number' ? /[;\s]+|,\s+/ : ';')
  return parts
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => valueOf(setting, part, decimal))
}

/** All lists of a draft, as a job has them. */
export function listsOf(lists: SweepDraft['lists'], decimal: string): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(lists).map(([key, list]) => {
      const setting = listableSettings().find((candidate) => candidate.key === key)
      return [key, setting ? valuesOf(setting, list, decimal) : []]
    }),
  )
}

/** What is wrong with the lists, by `values.` and the setting; `sweep` where there is nothing to vary at all. */
export function addSweepProblems(sweep: SweepDraft, decimal: string, problems: Map<string, string>): void {
  if (sweep.preset === null && Object.keys(sweep.lists).length === 0 && sweep.variants.length === 0)
    problems.set('sweep', 'Choose a figure to repeat, or a setting to vary.')
  for (const [key, values] of Object.entries(listsOf(sweep.lists, decimal))) {
    const problem = listProblem(key, values)
    if (problem) problems.set(`values.${key}`, problem)
  }
}

function listProblem(key: string, values: readonly unknown[]): string | null {
  if (!Object.hasOwn(engine.pruneSchema.shape, key)) return 'A pruning run has no such setting: leave it out.'
  if (values.length === 0) return 'Give at least one value.'
  const schema: z.ZodType = engine.pruneSchema.shape[key as keyof typeof engine.pruneSchema.shape]
  for (const value of values) {
    const issue = schema.safeParse(value).error?.issues[0]
    if (issue) return `${String(value)}: ${messageOf(issue)}`
  }
  const twice = values.find((value, index) => values.indexOf(value) !== index)
  return twice === undefined ? null : `${String(twice)} stands here twice.`
}
