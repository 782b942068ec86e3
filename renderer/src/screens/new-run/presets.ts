import { engine } from '../../../../electron/contract/index.ts'
import type { Draft, DraftValue } from './draft.ts'
import { type Mode, settingsOf } from './form.ts'
import type { Sees } from './sees.ts'

export interface Preset {
  readonly name: string
  readonly title: string
  readonly sentence: string
  /** Whether only a job that prunes takes it. */
  readonly prunes: boolean
  /** Settings by dotted path, as they are typed. */
  readonly values: Readonly<Record<string, DraftValue>>
}

const typed = (value: engine.Preset['values'][string]): DraftValue =>
  typeof value === 'boolean' ? value : typeof value === 'object' ? [...value] : String(value)

const presetsThatSee = (ofImages: boolean): readonly Preset[] =>
  engine.presetName.options.map((name) => {
    const { title, sentence, prunes = false, ofImages: other } = engine.presets[name]
    const values = Object.entries(engine.presetValues(name, ofImages))
    return {
      name,
      title,
      prunes,
      sentence: ofImages ? other.sentence : sentence,
      values: Object.fromEntries(values.map(([key, value]) => [key, typed(value)])),
    }
  })

/** For language models, and while nobody has chosen a model. */
export const presets = presetsThatSee(false)
const presetsOfImages = presetsThatSee(true)

/** Those of a preset's values that a kind of job has. */
export function valuesFor(preset: Preset, mode: Mode, sees: Sees = null): Draft['values'] {
  const keys = new Set(settingsOf(mode, sees).map(({ key }) => key))
  if (preset.prunes && !keys.has('criterion')) return {}
  return Object.fromEntries(Object.entries(preset.values).filter(([key]) => keys.has(key)))
}

/** Presets that change anything of a kind of job. They are about pruning and training: a scoring starts from its own defaults. */
export const presetsFor = (mode: Mode, sees: Sees = null): Preset[] =>
  mode === 'evaluate'
    ? []
    : (sees === 'images' ? presetsOfImages : presets).filter(
        (preset) => Object.keys(valuesFor(preset, mode, sees)).length > 0,
      )

/** Settings that a preset leaves as the user has them: what is sampled and where it runs is no matter of length. */
const kept = [
  'samplePrompts',
  'device',
  'threads',
  'field',
  'criterion',
  'parallel',
  'keepCheckpoints',
  'dense',
  'evaluation.images',
]

const isGiven = (value: DraftValue) => value !== '' && !(Array.isArray(value) && value.length === 0)

/** Sets everything that a preset is about and puts every other setting back to its default. */
export function applyPreset(draft: Draft, preset: Preset): Draft {
  const own = Object.entries(draft.values).filter(([key, value]) => kept.includes(key) && isGiven(value))
  return { ...draft, preset: preset.name, values: { ...preset.values, ...Object.fromEntries(own) } }
}

/** Whether the settings are still those of the preset. */
export function isPreset(draft: Draft, preset: Preset, sees: Sees = null): boolean {
  const expected = applyPreset(draft, preset).values
  return settingsOf(draft.mode, sees).every(
    ({ key, standard }) => shown(draft.values[key], standard) === shown(expected[key], standard),
  )
}

const shown = (value: DraftValue | undefined, standard: unknown) =>
  String(value === undefined || value === '' ? (standard ?? '') : value)
