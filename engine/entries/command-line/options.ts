import { Option } from 'commander'
import { z } from 'zod'
import {
  commandOf,
  evaluationSchema,
  type Job,
  type OnProblem,
  presetFor,
  presetName,
  renamedIn,
  renameJob,
  renameSettings,
} from '../../contract/index.ts'
import { configOf } from '../../models/checkpoint.ts'
import { isOfImages } from '../../models/encoder-config.ts'
import { badFile, badSetting, SecateurError } from '../../shared/errors.ts'
import { flagName } from '../../shared/flag-name.ts'
import { readJson } from '../../shared/files.ts'
import {
  asNumber,
  asPathOrNumber,
  collectAssignments,
  collectItems,
  collectPaths,
  collectTexts,
} from './flag-values.ts'
import { flagOf, flagsOfLists } from './said-as-flag.ts'

/** A schema without its default and optional wrappers. */
function inner(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) return inner(schema.unwrap() as z.ZodType)
  return schema
}

/** A flag for every field of a job's schema, with its description and default, and hidden ones for former names. */
export function schemaOptions(schema: z.ZodObject, without: readonly string[]): Option[] {
  const shape = schema.shape as Record<string, z.ZodType>
  const own = Object.entries(shape)
    .filter(([name]) => !without.includes(name))
    .flatMap(([name, field]) => [optionOf(name, field), ...negationOf(name, field)])
  const former = renamedIn(shape)
    .filter(({ to }) => !without.includes(to))
    .map(({ from, to, values }) => {
      const option = optionOf(from, shape[to]!).hideHelp()
      return values ? option.choices([...(option.argChoices ?? []), ...Object.keys(values)]) : option
    })
  return [...own, ...former]
}

/** The flag of one field of a job's schema. */
export const optionFor = (schema: z.ZodObject, name: string): Option =>
  optionOf(name, (schema.shape as Record<string, z.ZodType>)[name]!)

function optionOf(name: string, field: z.ZodType): Option {
  const type = inner(field)
  const given = field instanceof z.ZodDefault ? describeDefault(field.def.defaultValue) : ''
  const standard = given === '' ? '' : `, default ${given}`
  const text = `${field.description ?? ''}${standard}`
  const flag = `--${flagName(name)}`
  if (type instanceof z.ZodBoolean) {
    return isOn(field) ? new Option(`--no-${flagName(name)}`, `do not: ${field.description}`) : new Option(flag, text)
  }
  if (type instanceof z.ZodEnum) return new Option(`${flag} <name>`, text).choices(type.options.map(String))
  if (type instanceof z.ZodRecord)
    return new Option(`${flag} <name=file>`, `${field.description} (repeat)`).argParser(
      collectAssignments(flagName(name)),
    )
  if (type instanceof z.ZodUnion && type.meta()?.['path'] !== undefined)
    return new Option(`${flag} <file or number>`, text).argParser(asPathOrNumber)
  if (type instanceof z.ZodNumber || type instanceof z.ZodUnion)
    return new Option(`${flag} <number>`, text).argParser(asNumber)
  if (type instanceof z.ZodArray) {
    // Commas belong to texts and paths; elsewhere they stand between items.
    if (isTexts(type)) return new Option(`${flag} <text...>`, text).argParser(collectTexts)
    if (isPaths(type)) return new Option(`${flag} <paths...>`, text).argParser(collectPaths)
    return new Option(`${flag} <items...>`, text).argParser(collectItems)
  }
  return new Option(`${flag} <text>`, text)
}

/** A switch that is neither on nor off unless it is given has a flag for each. */
const negationOf = (name: string, field: z.ZodType): Option[] =>
  inner(field) instanceof z.ZodBoolean && field instanceof z.ZodOptional
    ? [new Option(`--no-${flagName(name)}`, `do not: ${field.description}`)]
    : []

/** A switch that is on unless it is turned off. */
export const isOn = (field: z.ZodType): boolean => field instanceof z.ZodDefault && field.def.defaultValue === true

const describeDefault = (value: unknown) => (Array.isArray(value) ? value.join(',') : String(value))

const isTexts = ({ element }: z.ZodArray) => (element as z.ZodType).meta()?.['text'] === true
const isPaths = ({ element }: z.ZodArray) => (element as z.ZodType).meta()?.['path'] !== undefined

const control = new Set(['json', 'job', 'resume', 'estimate'])

const refuseProblem: OnProblem = (path, message) => {
  throw badSetting(flagOf(path.at(-1)!), message)
}

/**
 * What flags say of a command that is no job.
 *
 * @throws SecateurError that names the flag.
 */
export function settingsFrom<Schema extends z.ZodObject>(
  schema: Schema,
  positional: Record<string, string>,
  flags: object,
): z.output<Schema> {
  const given = Object.fromEntries(Object.entries(flags).filter(([name]) => !control.has(name)))
  const settings = { ...renameSettings(given, schema.shape, refuseProblem), ...positional }
  const parsed = schema.safeParse(settings)
  if (parsed.success) return parsed.data
  throw settingError(parsed.error, settings)
}

/** Settings of a sweep that are flags too. */
export const sweepFlags: readonly string[] = ['preset', 'out', 'parallel']

/**
 * The job that flags describe, over the one in the --job file where there is one.
 *
 * @throws SecateurError that names the flag.
 */
export function jobFrom(
  kind: Job['kind'],
  schema: z.ZodObject,
  positional: Record<string, string | undefined>,
  flags: object,
): Job {
  const shape = schema.shape as Record<string, z.ZodType>
  // A sweep has presets of its own, which are settings.
  const isPreset = (name: string) => name === 'preset' && !(name in shape)
  const given = Object.entries(flags).filter(
    ([name, value]) => !control.has(name) && !isPreset(name) && !(value === true && isOn(shape[name]!)),
  )
  const preset =
    'preset' in flags && isPreset('preset')
      ? presetFor(presetName.parse(flags.preset), shape, looksAtImages(positional['checkpoint'], flags))
      : { settings: {}, evaluation: {} }
  const fromFile: Record<string, unknown> =
    'job' in flags ? renameJob({ ...readJson(String(flags.job), z.looseObject({})) }, shape, refuseProblem) : {}
  const command = commandOf(fromFile['kind'])
  if ('job' in flags && command !== undefined && fromFile['kind'] !== kind)
    throw badFile(String(flags.job), 'kind', `is "${fromFile['kind']}": start it with secateur ${command}`)
  const settings: Record<string, unknown> = withOneTarget(preset.settings, fromFile, flags)
  const scored: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(renameSettings(Object.fromEntries(given), shape, refuseProblem))) {
    // What the job itself does not have is a setting of its evaluation.
    if ('evaluation' in shape && !(name in shape)) scored[name === 'task' ? 'tasks' : name] = value
    else settings[name] = value
  }
  const evaluation = measuringLengths(renameSettings(scored, evaluationSchema.shape, refuseProblem))
  for (const [name, value] of Object.entries(positional)) if (value !== undefined) settings[name] = value
  if ('evaluation' in shape && (kind === 'evaluate' || Object.keys(evaluation).length > 0))
    settings['evaluation'] = {
      ...measuringLengths({ ...(settings['evaluation'] as object | undefined) }),
      ...evaluation,
    }
  if (typeof settings['evaluation'] === 'object')
    settings['evaluation'] = { ...preset.evaluation, ...settings['evaluation'] }
  const parsed = schema.safeParse({ ...settings, kind })
  if (parsed.success) return parsed.data as Job
  // Most of a sweep has no flags, and stands in its file alone.
  const { path, message } = parsed.error.issues[0]!
  if (kind === 'sweep' && 'job' in flags && path[0] !== undefined && !sweepFlags.includes(String(path[0])))
    throw badFile(String(flags.job), path.join('.'), message)
  throw settingError(parsed.error, settings)
}

/** Whoever names lengths of prompts wants them measured, unless it is said that nothing is. */
const measuringLengths = (evaluation: Record<string, unknown>): Record<string, unknown> => {
  const { latency, latencyLengths: lengths } = evaluation
  return latency === undefined && Array.isArray(lengths) && lengths.length > 0
    ? { ...evaluation, latency: true }
    : evaluation
}

const without = (settings: Record<string, unknown>, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(settings).filter(([name]) => !names.includes(name)))

/** Settings that say how much leaves without a budget. */
const withoutBudget = ['ratio', 'ratioOf', 'targetFraction', 'targetParameters']

/**
 * Settings of a preset and a job file, without those that flags say in another way: a budget, or a ratio.
 *
 * @throws SecateurError where the flags say both
 */
function withOneTarget(
  preset: Record<string, unknown>,
  fromFile: Record<string, unknown>,
  flags: object,
): Record<string, unknown> {
  const other = withoutBudget.find((name) => name in flags)
  if (other !== undefined && 'budget' in flags)
    throw badSetting(`--${flagName(other)}`, 'says how much is pruned, as --budget does: leave one of them out')
  if (other !== undefined) return { ...preset, ...without(fromFile, ['budget']) }
  if ('budget' in flags)
    return { ...without(preset, [...withoutBudget, 'ranking']), ...without(fromFile, withoutBudget) }
  return { ...('budget' in fromFile ? without(preset, [...withoutBudget, 'ranking']) : preset), ...fromFile }
}

/** Whether the checkpoint of a job is a model of images; one that cannot be read is refused later, by the job itself. */
function looksAtImages(checkpoint: string | undefined, flags: object): boolean {
  try {
    const path =
      checkpoint ?? ('job' in flags ? readJson(String(flags.job), z.object({ checkpoint: z.string() })).checkpoint : '')
    return isOfImages(configOf(path))
  } catch (error) {
    if (error instanceof SecateurError) return false
    throw error
  }
}

/** The first complaint of a schema, as an error that names the flag a person typed or should have typed. */
function settingError(error: z.ZodError, settings: Record<string, unknown>): SecateurError {
  const issue = error.issues[0]!
  const path = issue.path.map(String)
  // Settings of the evaluation are flags of their own.
  if (path[0] === 'evaluation' && path.length > 1) path.shift()
  if (path[0] !== undefined) path[0] = flagsOfLists.get(path[0]) ?? path[0]
  const field = path[0] ?? (issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : 'job')
  const missing = issue.code === 'invalid_type' && issue.input === undefined && settings[field] === undefined
  const flag = field === 'checkpoint' || field === 'adapter' ? `<${field}>` : `--${flagName(field)}`
  if (path[0] === undefined && issue.code === 'unrecognized_keys') return badSetting(flag, 'is no setting of this job')
  return badSetting(flag, missing ? 'is needed' : issue.message)
}
