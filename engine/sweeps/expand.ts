import {
  conflictWithBudget,
  type PruneJob,
  pruneSchema,
  type SweepJob,
  type SweepLists,
  type SweepPlan,
} from '../contract/index.ts'
import { badSetting } from '../shared/errors.ts'
import { presets } from './presets.ts'

/** A run of a sweep. */
export interface SweepRun {
  /** Names its folder. */
  name: string
  /** What distinguishes it from the others, seed and all, as it is shown. */
  varied: Record<string, string | number | boolean>
  /** Everything but where it is written. */
  job: Omit<PruneJob, 'out'>
}

type Settings = Record<string, unknown>
const mostRuns = 10_000

/**
 * The runs of a sweep: every combination of values, in the order in which these are written, with every variant.
 *
 * @throws SecateurError that names the run and its setting where one is not a pruning job.
 */
export function expandSweep(sweep: SweepJob): SweepRun[] {
  const preset = sweep.preset ? presets[sweep.preset] : {}
  const base = merged(preset.base ?? {}, sweep.base)
  const runs = combine(sweep)
  const names = variedNames(runs)
  return runs.map((own, index) => {
    const text = names.map((name) => `${name} ${JSON.stringify(own[name])}`).join(', ')
    const job = jobOf(sweep, merged(base, own), text)
    for (const instead of ['targetFraction', 'targetParameters'] as const)
      if (names.includes('ratio') && job[instead] !== undefined)
        throw badSetting(
          `base.${instead}`,
          'is used in place of the ratio, which the runs differ in: leave one of them out',
        )
    const varied = Object.fromEntries(names.map((name) => [name, shown((job as Settings)[name])]))
    const number = String(index + 1).padStart(String(runs.length).length, '0')
    const name = [number, ...names.map((setting) => slug(varied[setting]))].join('-').slice(0, 100)
    return { name, varied, job }
  })
}

/** How many runs lists come to, and what these differ in. @throws SecateurError where they are too many */
export function planSweep(lists: SweepLists): SweepPlan {
  const runs = combine(lists)
  const names = [...new Set(runs.flatMap((run) => Object.keys(run)))]
  const { base = {}, values = {} } = lists.preset ? presets[lists.preset] : {}
  const { evaluation, ...settings } = base
  return {
    runs: runs.length,
    settings: names.map((name) => ({
      name,
      values: [...new Map(runs.map((run) => [JSON.stringify(run[name]), run[name] ?? null])).values()],
      from: Object.hasOwn(lists.values, name) ? 'values' : Object.hasOwn(values, name) ? 'preset' : 'variants',
    })),
    base: {
      ...settings,
      ...Object.fromEntries(Object.entries(evaluation ?? {}).map(([name, value]) => [`evaluation.${name}`, value])),
    },
  }
}

/** Every combination of values with every variant. */
function combine(lists: SweepLists): Settings[] {
  const preset = lists.preset ? presets[lists.preset] : {}
  const values = { ...preset.values, ...lists.values }
  const given = lists.variants.length > 0 ? lists.variants : (preset.variants ?? [])
  const variants = given.length > 0 ? given : [{}]
  const size = Object.values(values).reduce((product, list) => product * list.length, variants.length)
  if (size > mostRuns) throw badSetting('values', `${size} runs come of this; ${mostRuns} are the most`)
  const combinations = Object.entries(values).reduce<Settings[]>(
    (all, [name, list]) => all.flatMap((one) => list.map((value) => ({ ...one, [name]: value }))),
    [{}],
  )
  return combinations.flatMap((combination) => variants.map((variant) => ({ ...variant, ...combination })))
}

/** Settings that are not the same in all runs. */
function variedNames(runs: readonly Settings[]): string[] {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run)))]
  return names.filter((name) => new Set(runs.map((run) => JSON.stringify(run[name]))).size > 1)
}

function jobOf(sweep: SweepJob, settings: Settings, run: string): Omit<PruneJob, 'out'> {
  const parsed = pruneSchema.omit({ out: true }).safeParse({ ...settings, kind: 'prune', checkpoint: sweep.checkpoint })
  const where = run ? ` (in the run with ${run})` : ''
  const conflict = parsed.success ? conflictWithBudget(parsed.data) : null
  if (conflict) throw badSetting(conflict.field, `${conflict.message}${where}`)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  const field =
    issue.path.map(String).join('.') || (issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : 'base')
  throw badSetting(`base.${field}`, `${issue.message}${where}`)
}

/** Settings over others; those of the evaluation are put together too. */
function merged(under: Settings, over: Settings): Settings {
  const evaluation =
    isObject(under.evaluation) && isObject(over.evaluation) ? { ...under.evaluation, ...over.evaluation } : undefined
  const all = { ...under, ...over, ...(evaluation ? { evaluation } : {}) }
  // A preset that wants none says so.
  if ('evaluation' in under && under.evaluation === undefined) delete all.evaluation
  return all
}

const isObject = (value: unknown): value is Settings => typeof value === 'object' && value !== null

const shown = (value: unknown): string | number | boolean =>
  typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string'
    ? value
    : value === undefined
      ? 'none'
      : JSON.stringify(value)

const slug = (value: unknown): string =>
  String(value)
    .replaceAll(/[^\w.]+/g, '_')
    .slice(0, 24)
