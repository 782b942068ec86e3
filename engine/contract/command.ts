import { z } from 'zod'
import { flagName } from '../shared/flag-name.ts'
import { shellQuoted } from '../shared/shell-quote.ts'
import { clusterSchema } from './cluster.ts'
import { type EvaluationSettings, evaluationSchema } from './evaluation.ts'
import { type Job, schemaOfKind } from './job.ts'

/** The command of each kind of job, and the settings that stand without a flag; null where flags do not say the whole job. */
const commands: Readonly<Record<Job['kind'], { name: string; positional: readonly string[] | null }>> = {
  finetune: { name: 'finetune', positional: ['checkpoint'] },
  prune: { name: 'prune', positional: ['checkpoint'] },
  merge: { name: 'merge', positional: ['checkpoint', 'adapter'] },
  evaluate: { name: 'eval', positional: ['checkpoint'] },
  sweep: { name: 'sweep', positional: null },
  export: { name: 'export', positional: null },
}

/** The command that does a kind of job; undefined where there is no such kind. */
export const commandOf = (kind: unknown): string | undefined =>
  typeof kind === 'string' && Object.hasOwn(commands, kind) ? commands[kind as Job['kind']].name : undefined

/**
 * The arguments of the command line that describe a job: what stands at its default is left out.
 *
 * @returns null where flags cannot say it: of a sweep or an export
 */
export function argumentsOf(job: Job): string[] | null {
  const { name: command, positional } = commands[job.kind]
  if (!positional) return null
  const { shape } = schemaOfKind(job.kind) as z.ZodObject
  const { kind: _, evaluation, ...all } = job as Record<string, unknown>
  const { cluster, ...settings } = withOnePlace(all)
  const flags = [
    ...Object.entries(settings)
      .filter(([name]) => !positional.includes(name))
      .map(([name, value]) => flagsOf(name, shape[name] as z.ZodType, value)),
    ...Object.entries(saidOfEvaluation((evaluation as EvaluationSettings | undefined) ?? {})).map(([name, value]) =>
      // A flag that both have is one of the job.
      Object.hasOwn(shape, name) && !isStandard(evaluationShape[name]!, value)
        ? null
        : flagsOf(name === 'tasks' ? 'task' : name, evaluationShape[name]!, value),
    ),
    ...(cluster ? clusterFlags(cluster) : []),
  ]
  if (flags.includes(null)) return null
  return [command, ...positional.map((name) => String(settings[name])), ...flags.flatMap((flag) => flag!)]
}

/** Lengths of prompts mean nothing where speed is not measured, and as flags they would ask for it. */
const saidOfEvaluation = ({ latencyLengths, ...evaluation }: Partial<EvaluationSettings>): object =>
  evaluation.latency ? { ...evaluation, latencyLengths } : evaluation

/** On a cluster, what is said of this computer means nothing. */
const withOnePlace = ({ parallel, ...settings }: Record<string, unknown>): Record<string, unknown> =>
  settings['cluster'] !== undefined || parallel === undefined ? settings : { ...settings, parallel }

/** What says where an evaluation is done in parts; their weights are none that could be fetched. */
const clusterFlags = (cluster: object): string[][] => [
  ['--on', 'slurm'],
  ...Object.entries(cluster)
    .filter(([name]) => name !== 'scheduler' && name !== 'fetchOutputs')
    .map(([name, value]) => flagsOf(name, clusterShape[name]!, value)),
]

const clusterShape: Readonly<Record<string, z.ZodType>> = clusterSchema.shape
const evaluationShape: Readonly<Record<string, z.ZodType>> = evaluationSchema.shape

/** Arguments as one line of a POSIX shell. */
export const shellLine = (args: readonly string[]): string =>
  args.map((text) => (isPlain(text) ? text : shellQuoted(text))).join(' ')

/** Whether a shell takes text as it is, so that a person need not read quotes. */
const isPlain = (text: string): boolean => /^[\w@%+=:,./-]+$/.test(text)

/** What says that a setting has a value. */
function flagsOf(name: string, field: z.ZodType, value: unknown): string[] {
  if (value === undefined || isStandard(field, value)) return []
  const flag = `--${flagName(name)}`
  if (typeof value === 'boolean') return [value ? flag : `--no-${flagName(name)}`]
  if (Array.isArray(value)) {
    return hasCommas(field) ? value.flatMap((text) => withValue(flag, String(text))) : withValue(flag, value.join(','))
  }
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, path]) => withValue(flag, `${key}=${String(path)}`))
  return withValue(flag, String(value))
}

/** A value that looks like a flag is tied to its own. */
const withValue = (flag: string, value: string): string[] =>
  value.startsWith('-') ? [`${flag}=${value}`] : [flag, value]

const isStandard = (field: z.ZodType, value: unknown): boolean =>
  field instanceof z.ZodDefault && JSON.stringify(field.def.defaultValue) === JSON.stringify(value)

/** Whether an array holds texts or paths, in which commas have no meaning. */
function hasCommas(field: z.ZodType): boolean {
  if (field instanceof z.ZodDefault || field instanceof z.ZodOptional) return hasCommas(field.unwrap() as z.ZodType)
  const { text, path } = field instanceof z.ZodArray ? ((field.element as z.ZodType).meta() ?? {}) : {}
  return text === true || path !== undefined
}
