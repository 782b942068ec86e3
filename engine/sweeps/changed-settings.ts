import { isDeepStrictEqual } from 'node:util'
import { evaluationSchema, type PruneJob, pruneSchema } from '../contract/index.ts'

/** A setting that all runs of a sweep share, and that is not the default. */
export interface ChangedSetting {
  /** Dotted path in the job. */
  name: string
  value: unknown
  /** Undefined where it has none. */
  standard: unknown
}

/** What is no setting to tell: each run has its own, or it is said elsewhere. */
const left = ['kind', 'checkpoint', 'out']

/** The settings that all jobs share and that differ from the defaults, in the order of the schema. */
export function changedSettings(jobs: readonly Omit<PruneJob, 'out'>[]): ChangedSetting[] {
  const [first, ...others] = jobs.map(flat)
  if (!first) return []
  const standards = flat(defaults)
  return [...first]
    .filter(
      ([name, value]) =>
        !left.includes(name) &&
        !isDeepStrictEqual(value, standards.get(name)) &&
        others.every((other) => isDeepStrictEqual(other.get(name), value)),
    )
    .map(([name, value]) => ({ name, value, standard: standards.get(name) }))
}

/** A job that says nothing but what it must. */
const defaults = {
  ...Object.fromEntries(
    Object.entries(pruneSchema.shape).map(([name, setting]) => [name, setting.safeParse(undefined).data]),
  ),
  evaluation: evaluationSchema.parse({}),
}

/** Settings by dotted path; those of the evaluation too, in which files by name are one. */
function flat(job: object): Map<string, unknown> {
  const { evaluation, ...own } = job as { evaluation?: object | undefined }
  const entries = [
    ...Object.entries(own),
    ...Object.entries(evaluation ?? {}).map(([name, value]): [string, unknown] => [`evaluation.${name}`, value]),
  ]
  return new Map(entries.filter(([, value]) => value !== undefined))
}

const text = (value: unknown): string =>
  value === undefined ? 'none' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``

/** A Markdown table of them; `none` where there is no default. */
export function settingsTable(settings: readonly ChangedSetting[]): string {
  return [
    '| setting | here | default |',
    '| --- | --- | --- |',
    ...settings.map(({ name, value, standard }) => `| \`${name}\` | ${text(value)} | ${text(standard)} |`),
  ].join('\n')
}
