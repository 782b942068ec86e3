import { setImmediate } from 'node:timers/promises'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { SecateurError } from '../shared/errors.ts'
import { sum } from '../shared/sum.ts'
import { scoringBatches } from './batching.ts'
import { warnOfComparability } from './comparability.ts'
import { type PlannedRow, type PlanOptions, planTask, selectedCount, usualBatchTokens } from './plan.ts'
import { lengthInCodePoints } from './python-text.ts'
import type { ScoredTask } from './scored-task.ts'
import type { GreedyScoringModel } from './scoring-model.ts'
import { type ScoredRow, type TaskScore, taskScore } from './task-score.ts'
import type { TaskRow } from './tasks/task.ts'

export interface ScoreOptions extends Omit<PlanOptions, 'onProgress'> {
  /** Asks of every choice whether the model would write it (ScoredRow.greedy), which a task of choices does not need. */
  greedy?: boolean
  /** Called for every row as soon as it is scored: rows of similar length together, not in file order. */
  onRow?: (row: ScoredRow) => void
  /** Called after every batch: rows scored so far, and of how many. */
  onProgress?: (progress: { done: number; total: number }) => void
}

/** Scores a task's rows as the evaluation harness does (lm-evaluation-harness; see EvaluationMode). */
export async function scoreTask(
  model: GreedyScoringModel,
  tokenizer: Tokenizer,
  task: ScoredTask,
  rows: readonly TaskRow[],
  options: ScoreOptions = {},
): Promise<TaskScore> {
  const { shots = { count: 0 }, batchTokens = usualBatchTokens } = options
  const plan = await planTask(model, tokenizer, task, rows, { ...options, onProgress: undefined })
  const greedy = options.greedy === true || task.asks === 'word'
  const total = selectedCount(rows, options)
  const scored: ScoredRow[] = []
  for (const batch of scoringBatches(plan, ({ planned }) => planned.item, batchTokens)) {
    options.signal?.throwIfAborted()
    for (const row of await scoreBatch(model, batch, greedy)) {
      const result = judge(task, rows[row.index]!, row, greedy)
      scored.push(result)
      options.onRow?.(result)
    }
    options.onProgress?.({ done: scored.length, total })
    await setImmediate()
  }
  return {
    ...taskScore(task, rows, scored, { ...options, shots }),
    warnings: [...warnOfComparability(task, rows, shots), ...warnOfLongChoices(model, plan)],
  }
}

/** Rows that are whole with this batch. */
async function scoreBatch(model: GreedyScoringModel, batch: readonly PlannedRow[], greedy: boolean) {
  const items = batch.map(({ planned }) => planned.item)
  const { logLikelihoods, likeliest } = greedy
    ? await model.greedyLikelihoods(items)
    : { logLikelihoods: await model.logLikelihoods(items), likeliest: null }
  return batch.flatMap(({ row, planned }, at) => {
    for (const [suffix, { choice, scored: count }] of planned.parts.entries()) {
      row.logLikelihoods[choice] = sumOfLast(logLikelihoods[at]![suffix]!, count)
      if (likeliest) row.greedy[choice] = likeliest[at]![suffix]!.slice(-count).every(Boolean)
      row.missing--
    }
    return row.missing === 0 ? [row] : []
  })
}

function sumOfLast(values: readonly number[], count: number): number {
  const total = sum(values.slice(-count))
  if (!Number.isNaN(total)) return total
  throw new SecateurError('bad-file', 'the model computes probabilities that are not numbers; are its weights damaged?')
}

function judge(
  task: ScoredTask,
  { choices, gold }: TaskRow,
  { index, logLikelihoods, greedy }: PlannedRow['row'],
  asksGreedy: boolean,
): ScoredRow {
  const perCharacter = logLikelihoods.map((value, choice) => value / lengthInCodePoints(choices[choice]!))
  return {
    task: task.name,
    index,
    logLikelihoods,
    pred: task.asks === 'word' ? (greedy[0] ? 0 : 1) : indexOfHighest(logLikelihoods),
    predNorm: task.normalised ? indexOfHighest(perCharacter) : null,
    gold,
    ...(asksGreedy && { greedy }),
  }
}

function warnOfLongChoices(model: GreedyScoringModel, plan: readonly PlannedRow[]): string[] {
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
