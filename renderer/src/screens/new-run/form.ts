import { z } from 'zod'
import { engine } from '../../../../electron/contract/index.ts'
import { bestFirst, rankOf } from '../../components/rank.ts'
import { capital } from '../../format.ts'
import { humanise, presentationOf } from './presentation.ts'
import { otherGroup, picked, type Presentation } from './setting-group.ts'
import { isFor, type Sees } from './sees.ts'
import { groups } from './setting-groups.ts'

/** What can be started. The pipeline is a prune run that scores the dense checkpoint first and the result afterwards. */
export const modes = ['pipeline', 'prune', 'sweep', 'finetune', 'evaluate', 'merge'] as const
export type Mode = (typeof modes)[number]
export type JobKind = Exclude<Mode, 'pipeline'>
export const kindOf = (mode: Mode): JobKind => (mode === 'pipeline' ? 'prune' : mode)

export type Input =
  | { kind: 'number'; whole: boolean; minimum?: number; maximum?: number; above?: number; below?: number }
  | { kind: 'choice'; options: readonly (string | number)[] }
  | { kind: 'several'; options: readonly string[] }
  | { kind: 'switch' }
  /** One item a line: free text, numbers, or paths, which can be browsed for. */
  | { kind: 'lines'; most: number | undefined; paths: boolean }
  /** A number, or a path that can be browsed for. */
  | { kind: 'number or path' }
  | { kind: 'text' }

/** A setting of a job, as a form shows it. */
export interface Setting {
  /** Dotted path in the job. */
  readonly key: string
  readonly label: string
  readonly sentence: string
  readonly unit: string | undefined
  readonly group: string
  readonly input: Input
  /** What a text that is one path is browsed for as; null for a path of another computer. */
  readonly browse?: 'file' | 'folder' | null | undefined
  /** Other names that the field has for it, which a search finds it by. */
  readonly also: string
  /** Values worth choosing, with what each is for. */
  readonly offers: NonNullable<Presentation['offers']>
  /** Undefined where the setting may be left out. */
  readonly standard: unknown
}
export interface SettingSection {
  readonly name: string
  readonly title: string
  readonly settings: readonly Setting[]
}

const schemas: Record<JobKind, z.ZodObject> = {
  finetune: engine.finetuneSchema,
  prune: engine.pruneSchema,
  merge: engine.mergeSchema,
  evaluate: engine.evaluateSchema,
  sweep: engine.sweepSchema,
}
export const schemaOf = (mode: Mode): z.ZodObject => schemas[kindOf(mode)]

type JsonSchema = z.core.JSONSchema.BaseSchema

/** Every setting of a kind of job that has no picker of its own, and that means something for what the model looks at. */
export const settingsOf = (mode: Mode, sees: Sees = null): readonly Setting[] =>
  allSettingsOf(mode).filter(({ key }) => isFor(key, sees))

/** The same whatever the model looks at, read from the job's schema. */
function allSettingsOf(mode: Mode): readonly Setting[] {
  const known = settingsByMode.get(mode)
  if (known) return known
  const own = fieldsOf(z.toJSONSchema(schemaOf(mode), { io: 'input' }), '').filter(
    ({ key }) => !picked.includes(key) && !picked.includes(key.split('.')[0]!),
  )
  const settings = [...(mode === 'sweep' ? allSettingsOf('prune') : []), ...own].filter(
    ({ key }) => !saidElsewhere(mode, key),
  )
  settingsByMode.set(mode, settings)
  return settings
}

/** Whether a job may be done on a cluster, in tasks of their own. */
export const isOfTasks = (mode: Mode): boolean => mode === 'sweep' || mode === 'evaluate'

/**
 * The dense checkpoint is scored by the pipeline itself, and once for all runs of a sweep; parts of an evaluation on one
 * computer are a matter of the command line.
 */
const saidElsewhere = (mode: Mode, key: string): boolean =>
  key === 'evaluateDense' ? mode === 'pipeline' || mode === 'sweep' : key === 'parallel' && mode === 'evaluate'

/** Whether a setting is one of the sweep itself, rather than of its runs. */
export const isOfSweep = (key: string): boolean => Object.hasOwn(engine.sweepSchema.shape, key)

/** Settings that a sweep can have a list of values for: those whose value is one thing. */
export const listableSettings = (): readonly Setting[] =>
  settingsOf('sweep').filter(
    ({ key, input }) => !isOfSweep(key) && !key.includes('.') && input.kind !== 'lines' && input.kind !== 'several',
  )
const settingsByMode = new Map<Mode, readonly Setting[]>()

/** The same in groups, in the order in which they are shown; groups without a setting are left out. */
export function sectionsOf(mode: Mode, sees: Sees = null): SettingSection[] {
  // Of models of images the images that are scored have a picker.
  const settings = settingsOf(mode, sees).filter(({ key }) => sees !== 'images' || key !== 'evaluation.images')
  return [...groups, { ...otherGroup, settings: {} }]
    .map(({ name, title, settings: shown }) => {
      const order = Object.keys(shown)
      const members = settings.filter(({ group }) => group === name)
      return { name, title, settings: members.toSorted((a, b) => order.indexOf(a.key) - order.indexOf(b.key)) }
    })
    .filter((section) => section.settings.length > 0)
}

/**
 * The settings in whose name, label, sentence or other names a search is found, in their groups: the best answers first, and
 * groups by their best one.
 */
export function findSettings(sections: readonly SettingSection[], search: string): readonly SettingSection[] {
  if (search.trim() === '') return sections
  const rank = ({ key, label, sentence, also }: Setting) =>
    rankOf(search, label, `${key} ${also} ${sentence}`) ?? rankOf(search, humanise(key))
  const found = sections.map((section) => ({ ...section, settings: bestFirst(section.settings, rank) }))
  return bestFirst(found, ({ settings }) => (settings[0] ? rank(settings[0]) : null))
}

/** The fields of an object's schema as settings, by their dotted paths after a prefix. */
export function fieldsOf(schema: JsonSchema, prefix: string): Setting[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (typeof field === 'boolean') return []
    const key = prefix + name
    if (field.type === 'object' && field.properties) return fieldsOf(field, `${key}.`)
    const shown = presentationOf(key)
    return [
      {
        key,
        label: shown.label ?? humanise(key),
        sentence: shown.sentence ?? sentenceOf(field.description ?? ''),
        unit: shown.unit,
        group: shown.group.name,
        input: inputOf(field),
        ...(isOnePath(field) && { browse: shown.browse ?? 'file' }),
        also: shown.also ?? '',
        offers: shown.offers ?? [],
        standard: field.default,
      },
    ]
  })
}

/** Whether a setting is the path of something to read, and nothing else. */
const isOnePath = (field: JsonSchema): boolean => field.type === 'string' && field['path'] === 'read'

function inputOf(field: JsonSchema): Input {
  if (field.type === 'boolean') return { kind: 'switch' }
  if (field.type === 'number' || field.type === 'integer') return numberOf(field)
  const options = optionsOf(field)
  if (options) return { kind: 'choice', options }
  if (field.type === 'array') {
    const item = typeof field.items === 'object' && !Array.isArray(field.items) ? field.items : {}
    const choices = optionsOf(item)
    if (choices) return { kind: 'several', options: choices.map(String) }
    return { kind: 'lines', most: field.maxItems, paths: item['path'] !== undefined }
  }
  return { kind: field['path'] !== undefined && field.anyOf ? 'number or path' : 'text' }
}

function numberOf(field: JsonSchema): Input {
  const limits = {
    minimum: within(field.minimum),
    maximum: within(field.maximum),
    above: within(field.exclusiveMinimum),
    below: within(field.exclusiveMaximum),
  }
  const known = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
  return { kind: 'number', whole: field.type === 'integer', ...known }
}

/** A limit that is one, rather than the largest number that counts exactly. */
const within = (value: number | boolean | undefined) =>
  typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined

function optionsOf(field: JsonSchema): (string | number)[] | undefined {
  const values = field.enum ?? field.anyOf?.map((choice) => (typeof choice === 'object' ? choice.const : undefined))
  const options = values?.filter((value) => typeof value === 'string' || typeof value === 'number')
  return options && options.length > 0 && options.length === values?.length ? options : undefined
}

/** `peak learning rate` as `Peak learning rate.` */
function sentenceOf(description: string): string {
  const text = description.trim()
  if (text === '') return ''
  return `${capital(text)}${/[.?!]$/.test(text) ? '' : '.'}`
}

/** What a setting means and which numbers it takes, in sentences. */
export function hintOf({ sentence, input }: Setting, format: (value: number) => string): string {
  const range = rangeOf(input, format)
  return [sentence, range && `${capital(range)}.`].filter(Boolean).join(' ')
}

/** The range of a number in words, for the hint beside its field; empty where there is none worth saying. */
export function rangeOf(input: Input, format: (value: number) => string): string {
  if (input.kind !== 'number') return ''
  const { minimum, maximum, above, below } = input
  const low = minimum !== undefined ? `from ${format(minimum)}` : above !== undefined ? `above ${format(above)}` : ''
  const high = maximum !== undefined ? `up to ${format(maximum)}` : below !== undefined ? `below ${format(below)}` : ''
  return [low, high].filter(Boolean).join(' ')
}
