import { engine } from '../../../../electron/contract/index.ts'
import { count, number, percent } from '../../format.ts'
import { runKindName } from '../../names.ts'
import { modes, settingsOf } from './form.ts'
import { ofRun, presentationOf, settingLabel } from './presentation.ts'
import { valueName } from './value-names.ts'

/** Settings whose values are choices: those have names, other texts stand as they were written. */
const choices = new Set(
  modes
    .flatMap((mode) => settingsOf(mode))
    .filter(({ input }) => input.kind === 'choice' || input.kind === 'several')
    .map(({ key }) => key),
)

/** The value of a setting as text with its unit: switches as words, lists with commas, what is not set as a dash. */
export function settingText(name: string, value: unknown): string {
  const key = ofRun(name)?.key ?? name
  if (key === 'preset' && typeof value === 'string') return presetTitle(value)
  if (value === undefined || value === null) return '–'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'number') return numberText(key, value)
  if (typeof value === 'string') return value === '' ? '(empty)' : named(key, value)
  if (Array.isArray(value)) return value.length > 0 ? value.map((item) => settingText(key, item)).join(', ') : 'none'
  // A group of a sweep's settings.
  if (typeof value === 'object')
    return Object.entries(value)
      .map(([setting, own]) => `${settingLabel(setting)}: ${settingText(setting, own)}`)
      .join('; ')
  return JSON.stringify(value)
}

function presetTitle(value: string): string {
  const preset = engine.sweepPreset.safeParse(value)
  return preset.success ? engine.sweepPresets[preset.data].title : value
}

function named(key: string, value: string): string {
  if (key === 'kind') return runKindName(value)
  return choices.has(key) ? valueName(value, key) : value
}

/** The number of a range or a default, which is not measured: in full, however large or small. */
export const limitText = (of: number): string =>
  Number.isInteger(of) ? count(of) : Math.abs(of) < 1e-3 ? String(of) : number(of, 6)

/** One of what a unit counts: "1 step", "1 micro-batch". */
const singular = (unit: string): string => unit.replace(/(?<=ch)es$|s$/, '')

function numberText(key: string, value: number): string {
  if (choices.has(key)) return valueName(String(value), key)
  const { unit } = presentationOf(key)
  if (unit === 'fraction') return percent(value, 1)
  if (!unit) return number(value, 6)
  return `${number(value, 6)} ${value === 1 ? singular(unit) : unit}`
}
