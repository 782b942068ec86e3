import { type Scores, scoresSchema } from '../../engine/contract/index.ts'
import type { JoinedScores } from '../contract/index.ts'
import type { RunRow } from '../database/runs.ts'
import type { Context } from './context.ts'
import { metricsOf, resultOf } from './run-values.ts'

type Stores = Pick<Context, 'runs'>
type Evaluation = ReturnType<Context['runs']['records']['evaluationsOf']>[number]
type Part = JoinedScores['from'][number]

/**
 * Scores of the checkpoint that a run made, and of the dense one that it came from: the run's own, and what evaluations of the
 * same checkpoints add. What a run has measured itself stays, and of the dense checkpoint only that is taken which was
 * measured as the result was, since nothing else can be laid beside it.
 */
export function joinedScores({ runs }: Stores, row: RunRow): JoinedScores {
  const own = resultOf(row)
  const joined: JoinedScores = { from: [], ...(own?.scores && { scores: own.scores }) }
  if (own?.denseScores) joined.denseScores = own.denseScores
  if (row.output_id === null) return joined
  join(joined, 'scores', othersOf(runs, row.output_id, row.id), (scores) => scores)
  const { scores } = joined
  // What a file was exported from is no dense checkpoint.
  if (scores && row.checkpoint_id !== null && row.kind !== 'export')
    join(joined, 'denseScores', othersOf(runs, row.checkpoint_id, row.id), (dense) => comparable(dense, scores))
  return joined
}

/** Brings the numbers that the history sorts by in line with the result of a run and with later evaluations. */
export function putMetrics(stores: Stores, row: RunRow): void {
  const result = resultOf(row)
  const { scores, denseScores } = joinedScores(stores, row)
  const joined = { ...result, ...(scores && { scores }), ...(denseScores && { denseScores }) }
  stores.runs.putValues(row.id, 'metric', metricsOf(joined))
}

/** The same for the runs that made the checkpoints which some runs have evaluated. */
export function putMetricsOfEvaluated(stores: Stores, evaluating: readonly number[]): void {
  for (const id of stores.runs.records.makersOfEvaluated(evaluating)) putMetrics(stores, stores.runs.get(id)!)
}

/** Where those of a run's metrics come from that it did not measure itself, by the names that they have in the history. */
export function sourceOf(from: JoinedScores['from'], metric: string): Part | undefined {
  const isDense = metric.startsWith('dense.')
  const name = isDense ? metric.slice('dense.'.length) : metric
  return from.find(
    ({ of, names }) =>
      (of === 'denseScores') === isDense &&
      names.some((score) =>
        name === 'meanAccuracy'
          ? isTask(score)
          : name.startsWith(`${score}.`) || name === score || isSpeed(score, name),
      ),
  )
}

const isTask = (score: string) => score !== 'images' && score !== 'latency' && !score.startsWith('perplexity.')
const isSpeed = (score: string, metric: string) => score === 'latency' && metric.endsWith('TokensPerSecond')

const othersOf = (runs: Stores['runs'], checkpoint: number, but: number): Evaluation[] =>
  runs.records.evaluationsOf(checkpoint).filter(({ runId }) => runId !== but)

/** Takes what is missing from evaluations, of which the first come first. */
function join(
  joined: JoinedScores,
  of: Part['of'],
  evaluations: readonly Evaluation[],
  take: (scores: Scores) => Scores,
): void {
  for (const { runId, runName, scores: text } of evaluations) {
    const other = take(scoresSchema.parse(JSON.parse(text)))
    const names = missingNames(joined[of], other)
    if (names.length === 0) continue
    joined.from.push({ of, runId, name: runName, names })
    joined[of] = withMissing(joined[of], other)
  }
}

function withMissing(known: Scores | undefined, other: Scores): Scores {
  const { classification = other.classification, latency = other.latency } = known ?? {}
  return {
    ...known,
    tasks: { ...other.tasks, ...known?.tasks },
    perplexity: { ...other.perplexity, ...known?.perplexity },
    ...(classification && { classification }),
    ...(latency && { latency }),
  }
}

function missingNames(known: Scores | undefined, other: Scores): string[] {
  const lacks = (of: 'tasks' | 'perplexity') =>
    Object.keys(other[of]).filter((name) => !Object.hasOwn(known?.[of] ?? {}, name))
  return [
    ...lacks('tasks'),
    ...lacks('perplexity').map((text) => `perplexity.${text}`),
    ...(other.classification && !known?.classification ? ['images'] : []),
    ...(other.latency && !known?.latency ? ['latency'] : []),
  ]
}

/** Those of the scores that were taken of the same rows, texts and images as others were, in the same way. */
function comparable(scores: Scores, as: Scores): Scores {
  const [own, other] = [scores.classification, as.classification]
  return {
    tasks: alike(scores.tasks, as.tasks, (a, b) => a.asked !== undefined && a.asked === b.asked),
    perplexity: alike(
      scores.perplexity,
      as.perplexity,
      (a, b) => a.tokens === b.tokens && a.scored === b.scored && a.window === b.window && a.protocol === b.protocol,
    ),
    ...(own && other && classesOf(own) === classesOf(other) && { classification: own }),
  }
}

/** Which classes were scored, by how many images each. */
const classesOf = ({ perClass }: NonNullable<Scores['classification']>): string =>
  JSON.stringify(perClass.map(({ name, n }) => [name, n]))

/** Those of some scores by name which others have too, and which are the same in kind. */
const alike = <Score>(
  all: Record<string, Score>,
  others: Record<string, Score>,
  isSame: (a: Score, b: Score) => boolean,
) => Object.fromEntries(Object.entries(all).filter(([name, score]) => name in others && isSame(score, others[name]!)))
