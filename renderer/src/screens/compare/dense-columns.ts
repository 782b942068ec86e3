import type { RunDetail } from '../../../../electron/contract/index.ts'
import { taskTitle } from '../../names.ts'
import { metricRows, type MetricRow, type Result } from './metrics.ts'

type Compared = Pick<RunDetail, 'id' | 'result' | 'joined' | 'checkpointId' | 'checkpointName' | 'started' | 'finished'>
type Scores = NonNullable<RunDetail['joined']['scores']>

/** A dense checkpoint as runs that started from it have scored it. */
export interface DenseColumn {
  readonly key: string
  readonly label: string
  readonly result: Result
  /** The runs that it is laid beside. */
  readonly runs: readonly number[]
}

/** What a run came to: its result with the scores that later evaluations add, and the time from its start to its end. */
export function resultOf({ result, joined, started, finished }: Compared): Result | null {
  if (!result && !joined.scores) return null
  const { seconds: _, scores: __, denseScores: ___, ...rest } = result ?? {}
  return {
    ...rest,
    ...(joined.scores && { scores: joined.scores }),
    ...(joined.denseScores && { denseScores: joined.denseScores }),
    ...(started !== null && finished !== null && { seconds: (finished - started) / 1000 }),
  }
}

/**
 * The dense checkpoints of the runs, each once: runs share one where they started from the same checkpoint and do not
 * contradict each other, as they do where they were scored on other rows.
 */
export function denseColumns(runs: readonly Compared[]): DenseColumn[] {
  const columns: { run: Compared; scores: Scores; result: Result; runs: number[] }[] = []
  for (const run of runs) {
    const scores = run.joined.denseScores
    if (!scores) continue
    const parameters = run.result?.parameters && { ...run.result.parameters, after: run.result.parameters.before }
    const column = columns.find((each) => isSameCheckpoint(each.run, run) && agree(each.scores, scores))
    if (column) {
      column.scores = together(column.scores, scores)
      column.result = { ...column.result, ...(parameters && { parameters }), scores: column.scores }
      column.runs.push(run.id)
    } else columns.push({ run, scores, result: { ...(parameters && { parameters }), scores }, runs: [run.id] })
  }
  return columns.map(({ run, result, runs: of }) => {
    const isAlone = columns.every((other) => other.run === run || other.run.checkpointName !== run.checkpointName)
    const label = `Dense, ${run.checkpointName}${isAlone ? '' : ` (run ${of.join(', ')})`}`
    return { key: `dense ${run.id}`, label: columns.length === 1 ? 'Dense' : label, result, runs: of }
  })
}

/** Metrics of compared runs with their dense checkpoints, which come first. */
export interface ComparedMetrics {
  readonly dense: readonly DenseColumn[]
  readonly rows: readonly MetricRow[]
  /** For each value of a row, which one its change is told from; null of dense checkpoints, and where there is none. */
  readonly baselines: readonly (number | null)[]
}

export function comparedMetrics(runs: readonly Compared[]): ComparedMetrics {
  const dense = denseColumns(runs)
  const all = [...dense, ...runs.map((run) => ({ result: resultOf(run) }))]
  const baselineOf = (id: number) => dense.findIndex((column) => column.runs.includes(id))
  return {
    dense,
    rows: metricRows(all, taskTitle, dense.length),
    baselines: [...dense.map(() => -1), ...runs.map(({ id }) => baselineOf(id))].map((at) => (at < 0 ? null : at)),
  }
}

const isSameCheckpoint = (one: Compared, other: Compared): boolean =>
  one.checkpointId === null ? one.checkpointName === other.checkpointName : one.checkpointId === other.checkpointId

/** Whether nothing that both have measured differs. */
function agree(one: Scores, other: Scores): boolean {
  const [first, second] = [numbersOf(one), numbersOf(other)]
  return [...first].every(([name, value]) => !second.has(name) || second.get(name) === value)
}

/** Scores by name. How fast it ran says nothing of what was scored. */
const numbersOf = ({ tasks, perplexity, classification }: Scores): Map<string, number> =>
  new Map([
    ...Object.entries(tasks).map(([name, { acc }]) => [`task ${name}`, acc] as const),
    ...Object.entries(perplexity).map(([name, { value }]) => [`text ${name}`, value] as const),
    ...(classification ? [['top1', classification.top1] as const] : []),
  ])

const together = (one: Scores, other: Scores): Scores => ({
  ...other,
  ...one,
  tasks: { ...other.tasks, ...one.tasks },
  perplexity: { ...other.perplexity, ...one.perplexity },
})
