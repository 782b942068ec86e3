import type { Draft, DraftValue } from './draft.ts'
import { type Mode, settingsOf } from './form.ts'

export interface Preset {
  readonly name: string
  readonly title: string
  readonly sentence: string
  /** Settings that differ from their defaults, by dotted path. */
  readonly values: Readonly<Record<string, DraftValue>>
}

export const presets: readonly Preset[] = [
  {
    name: 'paper',
    title: "The paper's settings",
    sentence:
      'What LoRAPrune was published with: batches of 128 sequences of 512 tokens, two epochs of 20,000 documents, the first tenth of the layers and the last one left whole.',
    values: {
      sequenceLength: '512',
      batchSize: '4',
      gradientAccumulation: '32',
      maxDocuments: '20000',
      uniform: false,
      'evaluation.mode': 'legacy',
    },
  },
  {
    name: 'quick',
    title: 'Quick look',
    sentence: 'A few minutes: 60 short steps and a part of each task. Enough to see that everything works.',
    values: {
      steps: '60',
      sequenceLength: '128',
      maxDocuments: '2000',
      frequency: '5',
      saveEvery: '20',
      sampleEvery: '20',
      'evaluation.limit': '50',
      'evaluation.maxWindows': '20',
    },
  },
  {
    name: 'overnight',
    title: 'Overnight',
    sentence: 'Three epochs of up to 50,000 documents with large batches, samples on the way, and every row scored.',
    values: {
      sequenceLength: '512',
      batchSize: '4',
      gradientAccumulation: '16',
      epochs: '3',
      maxDocuments: '50000',
      saveEvery: '100',
      sampleEvery: '200',
      'evaluation.latency': true,
    },
  },
]

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

/** Sets everything that a preset is about and puts every other setting back to its default. */
export function applyPreset(draft: Draft, preset: Preset): Draft {
  const own = Object.entries(draft.values).filter(([key]) => kept.includes(key))
  const values: Draft['values'] = { ...Object.fromEntries(own), ...preset.values }
  // Samples need something to continue.
  const prompts = values['samplePrompts']
  if (values['sampleEvery'] && !(Array.isArray(prompts) && prompts.length > 0))
    values['samplePrompts'] = ['Once upon a time']
  return { ...draft, preset: preset.name, values }
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
