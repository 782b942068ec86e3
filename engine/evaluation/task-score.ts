import { createHash } from 'node:crypto'
import type { PartScore, TaskScores } from '../contract/index.ts'
import type { FewShot } from './few-shot.ts'
import type { EvaluationMode } from './select.ts'
import type { ScoredTask } from './scored-task.ts'
import { mean, pooledError, standardError } from './statistics.ts'
import { mmluCategories, mmluCategory } from './tasks/mmlu-subjects.ts'
import type { TaskRow } from './tasks/task.ts'

export interface ScoredRow {
  task: string
  /** Of the row in its file, from 0. */
  index: number
  /** Of each choice: the sum of its tokens' natural log-probabilities. */
  logLikelihoods: number[]
  /** Choice with the highest log-likelihood, the first of equal ones; of a last word 1 where another is likelier. */
  pred: number
  /** The same with each log-likelihood divided by the choice's length; null where the task reports no acc_norm. */
  predNorm: number | null
  gold: number
  /** Whether each choice is what the model would write; only where that was asked for. */
  greedy?: boolean[]
}

/** See TaskScores; of perplexity and acc_norm only where the task reports them. */
export interface TaskScore extends Omit<TaskScores, 'answers'> {
  answers: string
  /** What makes the figures doubtful. */
  warnings: string[]
  /** In file order. */
  rows: ScoredRow[]
}

/** Accuracy, its standard error, and what else a task reports, from its scored rows. */
export function taskScore(
  task: ScoredTask,
  rows: readonly TaskRow[],
  found: readonly ScoredRow[],
  { mode = 'modern', shots }: { mode?: EvaluationMode; shots: FewShot },
): Omit<TaskScore, 'warnings'> {
  const scored = found.toSorted((a, b) => a.index - b.index)
  const right = scored.map(({ pred, gold }) => Number(pred === gold))
  const score = {
    acc: mean(right),
    stderr: standardError(right),
    n: scored.length,
    answers: right.join(''),
    asked: askedOf(
      scored.map(({ index }) => rows[index]!),
      shots,
      mode,
    ),
    total: rows.length,
    examples: shots.count,
    rows: scored,
  }
  const parts = scored.map(({ index }) => rows[index]!.part)
  if (parts.every((part) => part !== undefined)) return { ...score, ...scoresOfParts(parts, right, rows) }
  if (task.asks === 'word') return { ...score, ...perplexityOf(scored) }
  if (!task.normalised) return score
  const rightNorm = scored.map(({ predNorm, gold }) => Number(predNorm === gold))
  return { ...score, accNorm: mean(rightNorm), stderrNorm: standardError(rightNorm) }
}

/**
 * exp of the mean negative log-likelihood of a last word, all its tokens together. The harness draws samples for its
 * standard error; ours is that of the mean through exp, to first order.
 */
function perplexityOf(scored: readonly ScoredRow[]) {
  const losses = scored.map(({ logLikelihoods }) => -logLikelihoods[0]!)
  const perplexity = Math.exp(mean(losses))
  const error = standardError(losses)
  return { perplexity, stderrPerplexity: error === null ? null : perplexity * error }
}

/** Accuracy of every subject, of their categories and of all, weighted by their rows as the harness does. */
function scoresOfParts(parts: readonly string[], right: readonly number[], rows: readonly TaskRow[]) {
  const totals = Map.groupBy(rows, ({ part }) => part)
  const bySubject = Map.groupBy(right.keys(), (at) => parts[at]!)
  const subjects = [...bySubject].map(([name, at]) => {
    const answers = at.map((each) => right[each]!)
    const category = mmluCategory(name)!
    const total = totals.get(name)!.length
    return { name, category, acc: mean(answers), stderr: standardError(answers), n: answers.length, total }
  })
  const categories = Object.keys(mmluCategories).flatMap((name) => {
    const own = subjects.filter(({ category }) => category === name)
    return own.length === 0 ? [] : [{ name, ...together(own) }]
  })
  return { stderr: together(subjects).stderr, categories, subjects }
}

function together(parts: readonly PartScore[]): Omit<PartScore, 'name'> {
  const n = parts.reduce((sum, part) => sum + part.n, 0)
  return { acc: parts.reduce((sum, part) => sum + part.acc * part.n, 0) / n, stderr: pooledError(parts), n }
}

/** What a row asks, as text: of equal rows the same. */
export const rowText = ({ contexts, choices, gold }: TaskRow): string => JSON.stringify([contexts, choices, gold])

/** Tells rows, in file order, and the way they are asked from others. */
export function askedOf(rows: readonly TaskRow[], { count, examples = [] }: FewShot, mode: EvaluationMode): string {
  const hash = createHash('sha256').update(JSON.stringify([mode, count]))
  for (const row of [...rows, ...examples]) hash.update(rowText(row))
  return hash.digest('hex').slice(0, 16)
}
