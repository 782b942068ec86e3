import { type CheckpointSummary, engine, mostSpeeds, type Request } from '../../../../../electron/contract/index.ts'
import { refusalOf } from '../../playground/draft.ts'

/** What is to be measured, as the form has it. */
export interface SpeedDraft {
  types: engine.RunnerType[]
  /** Lengths of prompts, as they were typed. */
  lengths: string
  newTokens: number | undefined
  repeats: number | undefined
  /** Id of the checkpoint that is laid beside, as text; empty for none. */
  beside: string
}

const defaults = engine.speedSchema.parse({ checkpoint: '-' })

/** @param dense the checkpoint that it was made of */
export const firstDraft = (dense: { id: number } | null): SpeedDraft => ({
  types: ['f16', 'q4_k_m'],
  lengths: defaults.promptTokens.join(', '),
  newTokens: defaults.newTokens,
  repeats: defaults.repeats,
  beside: dense === null ? '' : String(dense.id),
})

/** The lengths that were typed, or what is wrong with them. */
export function lengthsOf(text: string): { lengths: number[] } | { problem: string } {
  const words = text.split(/[\s,;]+/).filter((word) => word !== '')
  const lengths = [...new Set(words.map(Number))]
  if (words.length === 0) return { problem: 'Name a length of a prompt in tokens, or several.' }
  if (lengths.some((length) => !Number.isInteger(length) || length < 1))
    return { problem: 'Write lengths as whole numbers of tokens, with commas between them.' }
  if (lengths.length > mostSpeeds.lengths)
    return { problem: `At most ${mostSpeeds.lengths} lengths are measured at once.` }
  return { lengths }
}

/** What is asked of the main side; null where the form does not say it yet. */
export function askedOf(id: number, draft: SpeedDraft, asItIs: boolean): Request<'speeds.measure'> | null {
  const found = lengthsOf(draft.lengths)
  const { newTokens, repeats, types, beside } = draft
  if ('problem' in found || newTokens === undefined || repeats === undefined) return null
  if (!asItIs && types.length === 0) return null
  return {
    id,
    promptTokens: found.lengths,
    newTokens,
    repeats,
    ...(beside !== '' && { beside: Number(beside) }),
    ...(!asItIs && { types: engine.runnerType.options.filter((type) => types.includes(type)) }),
  }
}

/** Checkpoints that another can be laid beside: the dense one first. */
export function besideOptions(id: number, dense: { id: number } | null, library: readonly CheckpointSummary[]) {
  const others = library.filter((other) => other.id !== id && other.kind !== 'adapter' && refusalOf(other) === null)
  const first = others.filter((other) => other.id === dense?.id)
  return [
    { value: '', label: 'nothing' },
    ...[...first, ...others.filter((other) => other.id !== dense?.id)].map((other) => ({
      value: String(other.id),
      label: other.name,
      ...(other.id === dense?.id && { detail: 'the dense checkpoint that it was made of' }),
    })),
  ]
}
