import { setImmediate } from 'node:timers/promises'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { badSetting } from '../shared/errors.ts'
import { type FewShot, fewShotText } from './few-shot.ts'
import { type PlannedItem, pairEncoder, planRow } from './requests.ts'
import type { ScoredTask } from './scored-task.ts'
import type { ScoringModel } from './scoring-model.ts'
import { shareStems } from './shared-stems.ts'
import { type EvaluationMode, selectRows, selectRowsOfParts } from './select.ts'
import type { TaskRow } from './tasks/task.ts'

export interface PlanOptions {
  /** Default `modern`. */
  mode?: EvaluationMode
  /** Rows to score, at least one (default all), of each subject where there are some: see selectRows for which. */
  limit?: number
  /** Default: none. */
  shots?: FewShot
  /** Tokens in a batch, padding included, unless one item alone is larger. */
  batchTokens?: number
  /** Called now and then: rows encoded so far, and of how many. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined
  signal?: AbortSignal
}

/** Where nobody says how many: the default of a job too. */
export const usualBatchTokens = 2048

/** A row as texts: what is scored after what. */
export interface AskedRow {
  /** Of the row in its file, from 0. */
  index: number
  requests: { context: string; continuation: string }[]
}

export interface PendingRow {
  index: number
  logLikelihoods: number[]
  /** Of each choice, whether its tokens are the likeliest; only where that is asked for. */
  greedy: boolean[]
  /** Choices that are not scored yet. */
  missing: number
}

export interface PlannedRow {
  row: PendingRow
  planned: PlannedItem
}

/**
 * What the model is asked, row by row, in the order in which examples are drawn.
 *
 * @throws SecateurError for a row that cannot have its examples
 */
export function* askedRows(
  task: ScoredTask,
  rows: readonly TaskRow[],
  { mode = 'modern', limit, shots = { count: 0 } }: PlanOptions,
): Generator<AskedRow> {
  const { order, random } = selectionOf(rows, mode, limit, shots.seed)
  for (const index of order) {
    const { contexts, choices } = rows[index]!
    const before = fewShotText(index, rows, shots, { task, mode, random })
    const requests = choices.map((choice, at) => ({
      context: before + contexts[at]!,
      continuation: task.delimiter + choice,
    }))
    yield { index, requests }
  }
}

function selectionOf(rows: readonly TaskRow[], mode: EvaluationMode, limit: number | undefined, seed?: number) {
  const selection = selectRows(rows.length, mode, limit, seed)
  if (rows.every(({ part }) => part === undefined)) return selection
  const order = selectRowsOfParts(
    rows.map(({ part }) => part),
    limit,
  )
  return { ...selection, order }
}

/** How many rows are scored. */
export const selectedCount = (rows: readonly TaskRow[], { mode = 'modern', limit }: PlanOptions): number =>
  selectionOf(rows, mode, limit).order.length

/**
 * What the model is asked, in tokens; items that start alike have a stem: see `shareStems`.
 *
 * @throws SecateurError for a row that cannot be scored
 */
export async function planTask(
  model: Pick<ScoringModel, 'maxLength'>,
  tokenizer: Tokenizer,
  task: ScoredTask,
  rows: readonly TaskRow[],
  options: PlanOptions,
): Promise<PlannedRow[]> {
  const { mode = 'modern', limit, batchTokens = usualBatchTokens, onProgress, signal } = options
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw badSetting('limit', `must be a whole number of rows above 0, not ${limit}`)
  }
  if (rows.length === 0) throw badSetting('task', `${task.name} has no rows to score`)
  const total = selectedCount(rows, options)
  const encode = pairEncoder(tokenizer, mode)
  const plan: PlannedRow[] = []
  let count = 0
  for (const { index, requests } of askedRows(task, rows, options)) {
    // Encoding thousands of rows takes seconds, in which a stop must still be heard.
    if (count % 64 === 63) {
      onProgress?.({ done: count, total })
      await setImmediate()
    }
    count++
    signal?.throwIfAborted()
    const encoded = requests.map(({ context, continuation }) => encode(context, continuation))
    const row = { index, logLikelihoods: requests.map(() => Number.NaN), greedy: [], missing: requests.length }
    const items = planRow(encoded, model.maxLength, `${task.name}, row ${index}`)
    plan.push(...items.map((planned) => ({ row, planned })))
  }
  const items = shareStems(
    plan.map(({ planned }) => planned.item),
    batchTokens,
  )
  return plan.map(({ row, planned }, at) => ({ row, planned: { ...planned, item: items[at]! } }))
}
