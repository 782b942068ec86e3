import { engine } from '../../../../electron/contract/index.ts'
import type { Draft, DraftValue } from './draft.ts'
import { type Mode, settingsOf } from './form.ts'

export interface Preset {
  readonly name: string
  readonly title: string
  readonly sentence: string
  /** Settings by dotted path, as they are typed. */
  readonly values: Readonly<Record<string, DraftValue>>
}

const typed = (value: engine.Preset['values'][string]): DraftValue =>
  typeof value === 'boolean' ? value : typeof value === 'object' ? [...value] : String(value)

export const presets: readonly Preset[] = Object.entries(engine.presets).map(([name, { title, sentence, values }]) => ({
  name,
  title,
  sentence,
  values: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, typed(value)])),
}))

/** Those of a preset's values that a kind of job has. */
export function valuesFor(preset: Preset, mode: Mode): Draft['values'] {
  const keys = new Set(settingsOf(mode).map(({ key }) => key))
  return Object.fromEntries(Object.entries(preset.values).filter(([key]) => keys.has(key)))
}

/** Presets that change anything of a kind of job. */
export const presetsFor = (mode: Mode): Preset[] =>
  presets.filter((preset) => Object.keys(valuesFor(preset, mode)).length > 0)

/** Settings that a preset leaves as the user has them: what is sampled and where it runs is no matter of length. */
const kept = ['samplePrompts', 'device', 'threads', 'field', 'criterion', 'parallel', 'keepCheckpoints', 'dense']

const isGiven = (value: DraftValue) => value !== '' && !(Array.isArray(value) && value.length === 0)

/** Sets everything that a preset is about and puts every other setting back to its default. */
export function applyPreset(draft: Draft, preset: Preset): Draft {
  const own = Object.entries(draft.values).filter(([key, value]) => kept.includes(key) && isGiven(value))
  return { ...draft, preset: preset.name, values: { ...preset.values, ...Object.fromEntries(own) } }
}

/** Whether the settings are still those of the preset. */
export function isPreset(draft: Draft, preset: Preset): boolean {
  const expected = applyPreset(draft, preset).values
  return settingsOf(draft.mode).every(
    ({ key, standard }) => shown(draft.values[key], standard) === shown(expected[key], standard),
  )
}

const shown = (value: DraftValue | undefined, standard: unknown) =>
  String(value === undefined || value === '' ? (standard ?? '') : value)
