import {
  type CheckpointSummary,
  engine,
  type PlaygroundAnswer,
  type Question,
} from '../../../../electron/contract/index.ts'
import { count, duration, number, perSecond } from '../../format.ts'
import { idList, type Query } from '../../router/routes.ts'
import { type Column, columnsOf, columnsText } from './columns.ts'

export type Mode = Question['mode']

/** What is set of how answers are written, as the form has it. */
export interface Draft {
  maxNewTokens: number
  temperature: number
  topP: number
  topK: number
  seed: number
  /** Texts that end an answer, one a line; `\n` in one stands for the end of a line. */
  stop: string
  /** Whether log-probabilities are told. */
  likelihoods: boolean
}

/** Other tokens of a place that are shown. */
const alternatives = 5

export function emptyDraft(): Draft {
  const { stop: _, alternatives: __, ...settings } = engine.writingSettingsSchema.parse({})
  return { ...settings, stop: '', likelihoods: false }
}

export const settingsOf = ({ stop, likelihoods, ...settings }: Draft): engine.WritingSettings => ({
  ...settings,
  stop: stop
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replaceAll(String.raw`\n`, '\n')),
  ...(likelihoods && { alternatives }),
})

export const draftOf = ({ stop, alternatives: told, ...settings }: engine.WritingSettings): Draft => ({
  ...settings,
  stop: stop.map((text) => text.replaceAll('\n', String.raw`\n`)).join('\n'),
  likelihoods: told !== undefined,
})

/** What an address asks for: a question of the history, checkpoints, or what goes with a checkpoint or a run. */
export type Entry =
  | { question: number }
  | { columns: Column[] }
  | { beside: { checkpoint: number } | { run: number } }
  | null

export function entryOf(query: URLSearchParams): Entry {
  const [question] = idList(query.get('question'))
  if (question !== undefined) return { question }
  const [checkpoint] = idList(query.get('checkpoint'))
  if (checkpoint !== undefined) return { beside: { checkpoint } }
  const [run] = idList(query.get('run'))
  if (run !== undefined) return { beside: { run } }
  const columns = columnsOf(query.get('checkpoints'))
  return columns.length > 0 ? { columns } : null
}

/** The query under which what is shown is found again. */
export const queryOf = (columns: readonly Column[], question: number | undefined): Query => ({
  question: question ?? null,
  checkpoints: question === undefined && columns.length > 0 ? columnsText(columns) : null,
  checkpoint: null,
  run: null,
})

/** Why a checkpoint cannot write; null where it can. */
export function refusalOf({ images, format, status }: CheckpointSummary): string | null {
  if (images) return 'a model of images'
  if (format === 'onnx') return 'an ONNX graph'
  if (status === 'away') return 'its drive is not here now'
  return status === 'missing' ? 'files are missing' : null
}

export const isOver = ({ state }: PlaygroundAnswer): boolean => ['done', 'failed', 'cancelled'].includes(state)

const endings: Record<NonNullable<PlaygroundAnswer['facts']>['ended'], string> = {
  token: 'ended by itself',
  text: 'ended at a stop text',
  limit: 'ended at max new tokens',
  positions: 'ended at the end of its context',
}

/** Tokens per second of an answer; null where it has no token after the first. */
export const speedOf = ({ tokens, generationSeconds }: NonNullable<PlaygroundAnswer['facts']>): number | null =>
  tokens > 0 && generationSeconds > 0 ? tokens / generationSeconds : null

/** What is told of an answer beneath it. */
export function factsText(facts: NonNullable<PlaygroundAnswer['facts']>): string {
  const loaded = facts.loadSeconds >= 0.1 ? [`loaded in ${duration(facts.loadSeconds)}`] : []
  return [
    `${count(facts.tokens)} tokens`,
    perSecond(speedOf(facts), 'tokens'),
    `first after ${duration(facts.firstSeconds)}`,
    ...loaded,
    endings[facts.ended],
  ].join(' · ')
}

/** A token as it is named: what cannot be seen is written out. */
export const tokenName = (text: string): string =>
  text === '' ? '(nothing yet)' : text.replaceAll('\n', '↵').replaceAll(' ', '␣').replaceAll('\t', '⇥')

/** A probability by its logarithm, in percent; what is next to nothing is not spelt out. */
export function probabilityText(logProbability: number): string {
  const percent = 100 * Math.exp(logProbability)
  return percent < 0.001 ? '<0.001%' : `${number(percent, 3)}%`
}
