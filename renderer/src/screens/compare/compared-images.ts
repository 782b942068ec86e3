import type { Comparison } from '../../../../electron/contract/index.ts'
import type { ScoredColumn } from '../run/images/class-rows.ts'
import type { Source } from '../run/images/outcome-choice.ts'
import type { ComparedRun } from './compared-runs.ts'

/** Checkpoints that runs have scored on images, and their scores of each class. */
export interface ScoredOnImages {
  /** What the runs came to. */
  readonly columns: readonly ScoredColumn[]
  /** The same, and the dense checkpoints that the runs scored. */
  readonly sources: readonly Source[]
}

export function scoredOnImages(results: Comparison['runs'], runs: readonly ComparedRun[]): ScoredOnImages {
  const columns: ScoredColumn[] = []
  const sources: Source[] = []
  for (const { id, label, style } of runs) {
    const result = results.find((run) => run.id === id)?.result
    if (result?.scores?.classification) {
      columns.push({ key: String(id), label, style, score: result.scores.classification })
      sources.push({ key: `result ${id}`, label, by: { run: id, which: 'result' } })
    }
    if (result?.denseScores?.classification)
      sources.push({ key: `dense ${id}`, label: `dense of ${label}`, by: { run: id, which: 'dense' } })
  }
  return { columns, sources }
}

/** A checkpoint that was scored on tasks. */
export interface ScoredOnTasks extends Source {
  readonly tasks: readonly string[]
}

/** What the runs came to, and the dense checkpoints that they scored, where there are tasks. */
export function scoredOnTasks(results: Comparison['runs'], runs: readonly ComparedRun[]): ScoredOnTasks[] {
  return runs.flatMap(({ id, label }) => {
    const result = results.find((run) => run.id === id)?.result
    const [own, dense] = [result?.scores, result?.denseScores].map((scores) => Object.keys(scores?.tasks ?? {}))
    return [
      { key: `result ${id}`, label, by: { run: id, which: 'result' as const }, tasks: own! },
      { key: `dense ${id}`, label: `dense of ${label}`, by: { run: id, which: 'dense' as const }, tasks: dense! },
    ].filter(({ tasks }) => tasks.length > 0)
  })
}

export const sharedTasks = (one: ScoredOnTasks, other: ScoredOnTasks): string[] =>
  other.tasks.filter((task) => one.tasks.includes(task))

/** Two different ones of the sources: those that are chosen, or else what the first two runs came to. */
export function pairOf<One extends Source>(
  sources: readonly One[],
  chosen: { before: string; after: string },
): { before: One; after: One } | null {
  const results = sources.filter(({ by }) => by.which === 'result')
  const find = (key: string) => sources.find((source) => source.key === key)
  // One run alone is laid beside its own dense checkpoint, and what came of pruning is the second of the two.
  const first = results.length === 1 ? sources.find(({ by }) => by.which === 'dense') : results[0]
  const before = find(chosen.before) ?? first ?? results[0] ?? sources[0]
  if (!before) return null
  const after = find(chosen.after)
  const isOther = (source: One | undefined) => source !== undefined && source.key !== before.key
  const second = [after, ...results, ...sources].find(isOther)
  return second ? { before, after: second } : null
}
