import { setImmediate } from 'node:timers/promises'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { SecateurError, badSetting } from '../shared/errors.ts'
import { scoringBatches } from './batching.ts'
import { warnOfComparability } from './comparability.ts'
import { type FewShot, fewShotText } from './few-shot.ts'
import { lengthInCodePoints } from './python-text.ts'
import { type PlannedItem, pairEncoder, planRow } from './requests.ts'
import type { ScoringModel } from './scoring-model.ts'
import { type EvaluationMode, selectRows } from './select.ts'
import { mean, standardError } from './statistics.ts'
import { taskDescriptions, type TaskName } from '../contract/index.ts'
import { tasks } from './tasks/index.ts'
import type { TaskRow } from './tasks/task.ts'

export interface ScoreOptions {
  /** Default `modern`. */
  mode?: EvaluationMode
  /** Rows to score, at least one (default all): see selectRows for which. */
  limit?: number
  /** Default: none. */
  shots?: FewShot
  /** Tokens in a batch, padding included, unless one item alone is larger (default 2048). */
  batchTokens?: number
  /** Called for every row as soon as it is scored: rows of similar length together, not in file order. */
  onRow?: (row: ScoredRow) => void
  /** Called after every batch: rows scored so far, and of how many. */
  onProgress?: (progress: { done: number; total: number }) => void
  signal?: AbortSignal
}

export interface ScoredRow {
  task: TaskName
  /** Of the row in its file, from 0. */
  index: number
  /** Of each choice: the sum of its tokens' natural log-probabilities. */
  logLikelihoods: number[]
  /** Choice with the highest log-likelihood, the first of equal ones. */
  pred: number
  /** The same with each log-likelihood divided by the choice's length; null where the task reports no acc_norm. */
  predNorm: number | null
  gold: number
}

export interface TaskScore {
  acc: number
  /** Only for tasks that report it. */
  accNorm?: number
  /** Standard error of acc; null for a single row, where it is not defined. */
  stderr: number | null
  stderrNorm?: number | null
  n: number
  /** A 1 for each row that acc counts as right, a 0 for each other, in file order. */
  answers: string
  /** What makes the figures doubtful. */
  warnings: string[]
  /** In file order. */
  rows: ScoredRow[]
}

/** Scores a task's rows as the evaluation harness does (lm-evaluation-harness; see EvaluationMode). */
export async function scoreTask(
  model: ScoringModel,
  tokenizer: Tokenizer,
  name: TaskName,
  rows: readonly TaskRow[],
  options: ScoreOptions = {},
): Promise<TaskScore> {
  const { shots = { count: 0 } } = options
  const plan = await planTask(model, tokenizer, name, rows, { ...options, onProgress: undefined })
  const scored: ScoredRow[] = []
  for (const batch of scoringBatches(plan, ({ planned }) => planned.item, options.batchTokens ?? 2048)) {
    options.signal?.throwIfAborted()
    const answers = await model.logLikelihoods(batch.map(({ planned }) => planned.item))
    for (const [at, { row, planned }] of batch.entries()) {
      for (const [suffix, { choice, scored: count }] of planned.parts.entries()) {
        row.logLikelihoods[choice] = sumOfLast(answers[at]![suffix]!, count)
        row.missing--
      }
      if (row.missing > 0) continue
      const result = judge(name, row.index, rows[row.index]!, row.logLikelihoods)
      scored.push(result)
      options.onRow?.(result)
    }
    options.onProgress?.({ done: scored.length, total: Math.min(options.limit ?? rows.length, rows.length) })
    await setImmediate()
  }
  return {
    ...taskScore(name, scored),
    warnings: [...warnOfComparability(name, rows, shots), ...warnOfLongChoices(model, plan)],
  }
}

interface PendingRow {
  index: number
  logLikelihoods: number[]
  /** Choices that are not scored yet. */
  missing: number
}

interface PlannedRow {
  row: PendingRow
  planned: PlannedItem
}

/**
 * What the model is asked, row by row.
 *
 * @throws SecateurError for a row that cannot be scored
 */
export async function planTask(
  model: Pick<ScoringModel, 'maxLength'>,
  tokenizer: Tokenizer,
  name: TaskName,
  rows: readonly TaskRow[],
  { mode = 'modern', limit, shots = { count: 0 }, onProgress, signal }: Omit<ScoreOptions, 'batchTokens' | 'onRow'>,
): Promise<PlannedRow[]> {
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw badSetting('limit', `must be a whole number of rows above 0, not ${limit}`)
  }
  if (rows.length === 0) throw badSetting('task', `${name} has no rows to score`)
  const { order, random } = selectRows(rows.length, mode, limit, shots.seed)
  const encode = pairEncoder(tokenizer, mode)
  const plan: PlannedRow[] = []
  for (const [count, index] of order.entries()) {
    // Encoding thousands of rows takes seconds, in which a stop must still be heard.
    if (count % 64 === 63) {
      onProgress?.({ done: count, total: order.length })
      await setImmediate()
    }
    signal?.throwIfAborted()
    const { contexts, choices } = rows[index]!
    const before = fewShotText(index, rows, shots, { task: tasks[name], mode, random })
    const requests = choices.map((choice, at) => encode(before + contexts[at]!, ` ${choice}`))
    const row = { index, logLikelihoods: choices.map(() => Number.NaN), missing: choices.length }
    const items = planRow(requests, model.maxLength, `${name}, row ${index}`)
    plan.push(...items.map((planned) => ({ row, planned })))
  }
  return plan
}

function sumOfLast(values: readonly number[], count: number): number {
  const sum = values.slice(-count).reduce((total, value) => total + value, 0)
  if (!Number.isNaN(sum)) return sum
  throw new SecateurError('bad-file', 'the model computes probabilities that are not numbers; are its weights damaged?')
}

function judge(task: TaskName, index: number, { choices, gold }: TaskRow, logLikelihoods: number[]): ScoredRow {
  const perCharacter = logLikelihoods.map((value, choice) => value / lengthInCodePoints(choices[choice]!))
  return {
    task,
    index,
    logLikelihoods,
    pred: indexOfHighest(logLikelihoods),
    predNorm: taskDescriptions[task].normalised ? indexOfHighest(perCharacter) : null,
    gold,
  }
}

function warnOfLongChoices(model: ScoringModel, plan: readonly PlannedRow[]): string[] {
  const long = plan.filter(({ planned }) => planned.parts.some(({ cut }) => cut)).map(({ row }) => row.index)
  if (long.length === 0) return []
  const first = long.reduce((least, index) => Math.min(least, index))
  const count = new Set(long).size
  return [
    `${count} ${count === 1 ? 'row has' : 'rows have'} a choice of more than the ${model.maxLength} tokens that the model ` +
      `reads, scored on its last ${model.maxLength} tokens only (the first such row is number ${first}, from 0).`,
  ]
}

/** The first of equal ones. */
const indexOfHighest = (values: readonly number[]): number =>
  values.reduce((best, value, index) => (value > values[best]! ? index : best), 0)

function taskScore(name: TaskName, scored: ScoredRow[]): Omit<TaskScore, 'warnings'> {
  const rows = scored.toSorted((a, b) => a.index - b.index)
  const right = rows.map(({ pred, gold }) => Number(pred === gold))
  const score = { acc: mean(right), stderr: standardError(right), n: rows.length, answers: right.join(''), rows }
  if (!taskDescriptions[name].normalised) return score
  const rightNorm = rows.map(({ predNorm, gold }) => Number(predNorm === gold))
  return { ...score, accNorm: mean(rightNorm), stderrNorm: standardError(rightNorm) }
}
