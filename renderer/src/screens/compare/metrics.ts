import type { RunDetail } from '../../../../electron/contract/index.ts'
import { categoryName } from '../../names.ts'
import { typeName } from '../playground/runners.ts'
import type { Better } from './pareto.ts'

/** What the value of a metric is, so that it can be written with its unit. */
export type MetricType = 'count' | 'bytes' | 'seconds' | 'accuracy' | 'perplexity' | 'loss' | 'speed' | 'imageSpeed'

export interface MetricValue {
  readonly value: number
  /** Standard error, where one is known. */
  readonly error: number | null
}
export interface MetricRow {
  readonly key: string
  readonly label: string
  readonly type: MetricType
  readonly better: Better
  /** Of each run, in their order. */
  readonly values: readonly (MetricValue | null)[]
  /** Whether a run has the best value; false everywhere where all are the same or fewer than two have one. */
  readonly best: readonly boolean[]
  /** Whether a run is not the best, but by less than the standard error of the difference. */
  readonly close: readonly boolean[]
}
/** What became of a metric from one checkpoint to another, and how much of it is kept. Null where one has none. */
export function changeOf(
  first: MetricValue | null | undefined,
  last: MetricValue | null | undefined,
): { change: number; kept: number | null } | null {
  if (!first || !last) return null
  return { change: last.value - first.value, kept: first.value === 0 ? null : last.value / first.value }
}

export type Result = NonNullable<RunDetail['result']>
type Read = (result: Result) => MetricValue | null

const plain = (value: number | null | undefined): MetricValue | null =>
  value === null || value === undefined ? null : { value, error: null }

/**
 * Everything that the runs' results measure, each with the direction in which it is better.
 *
 * @param taskName name of a zero-shot task for people.
 * @param unranked how many of the results, from the first one on, others are laid beside without being better or worse.
 */
export function metricRows(
  runs: readonly { result: Result | null }[],
  taskName: (task: string) => string,
  unranked = 0,
): MetricRow[] {
  const results = runs.map(({ result }) => result)
  const row = (key: string, label: string, type: MetricType, better: Better, read: Read): MetricRow => {
    const values = results.map((result) => (result ? read(result) : null))
    const { best, close } = standing(values.slice(unranked), better)
    const before = values.slice(0, unranked).map(() => false)
    return { key, label, type, better, values, best: [...before, ...best], close: [...before, ...close] }
  }
  const names = (of: 'tasks' | 'perplexity') => [
    ...new Set(results.flatMap((result) => Object.keys(result?.scores?.[of] ?? {}))),
  ]
  const categoriesOf = (task: string) => [
    ...new Set(
      results.flatMap((result) => (result && taskOf(result, task)?.categories?.map(({ name }) => name)) ?? []),
    ),
  ]
  return [
    row('parameters', 'Parameters', 'count', 'lower', ({ parameters }) => plain(parameters?.after)),
    ...names('tasks').flatMap((task) => [
      row(`task.${task}`, taskName(task), 'accuracy', 'higher', (result) => {
        const score = taskOf(result, task)
        return score ? { value: score.acc, error: score.stderr } : null
      }),
      row(`taskNorm.${task}`, `${taskName(task)}, length-normalised`, 'accuracy', 'higher', (result) => {
        const score = taskOf(result, task)
        return score?.accNorm === undefined ? null : { value: score.accNorm, error: score.stderrNorm ?? null }
      }),
      row(`taskPerplexity.${task}`, `${taskName(task)}, perplexity`, 'perplexity', 'lower', (result) => {
        const score = taskOf(result, task)
        return score?.perplexity === undefined
          ? null
          : { value: score.perplexity, error: score.stderrPerplexity ?? null }
      }),
      ...categoriesOf(task).map((category) =>
        row(
          `task.${task}.${category}`,
          `${taskName(task)}, ${categoryName(category)}`,
          'accuracy',
          'higher',
          (result) => {
            const found = taskOf(result, task)?.categories?.find(({ name }) => name === category)
            return found ? { value: found.acc, error: found.stderr } : null
          },
        ),
      ),
    ]),
    row('mean', 'Mean accuracy', 'accuracy', 'higher', (result) => meanAccuracy(result, names('tasks'))),
    row('top1', 'Top-1 accuracy', 'accuracy', 'higher', ({ scores }) => {
      const found = scores?.classification
      return found ? { value: found.top1, error: found.stderr } : null
    }),
    row('top5', 'Top-5 accuracy', 'accuracy', 'higher', ({ scores }) => {
      const found = scores?.classification
      return found ? { value: found.top5, error: errorOfShare(found.top5, found.n) } : null
    }),
    ...names('perplexity').map((text) =>
      row(`perplexity.${text}`, `Perplexity, ${text}`, 'perplexity', 'lower', (result) =>
        plain(result.scores?.perplexity[text]?.value),
      ),
    ),
    row('loss', 'Final training loss', 'loss', 'lower', ({ loss }) => plain(loss)),
    row('validationLoss', 'Validation loss', 'loss', 'lower', ({ validation }) =>
      plain(validation?.best?.loss ?? validation?.last),
    ),
    ...speedRunners(results).flatMap((runner) =>
      (['prompt', 'generation'] as const).map((what) =>
        row(`${what}Speed${runner}`, `Speed, ${what}${runner && `, ${runner}`}`, 'speed', 'higher', ({ scores }) =>
          speedRunner(scores?.latency) === runner ? plain(scores?.latency?.[speedFields[what]]) : null,
        ),
      ),
    ),
    row('imageSpeed', 'Speed, images', 'imageSpeed', 'higher', ({ scores }) =>
      plain(scores?.classification?.imagesPerSecond),
    ),
    row('seconds', 'Duration', 'seconds', 'lower', ({ seconds }) => plain(seconds)),
    row('memory', 'Peak memory', 'bytes', 'lower', ({ peakMemoryBytes }) => plain(peakMemoryBytes)),
  ].filter(({ values }) => values.some((value) => value !== null))
}

const speedFields = { prompt: 'promptTokensPerSecond', generation: 'generatedTokensPerSecond' } as const

/** What speed was measured on, as a row of it says: nothing of Secateur's own engine. */
const speedRunner = (latency: Latency): string | null => {
  if (!latency) return null
  return latency.ran?.runner === 'llama.cpp' ? `llama.cpp as ${typeName(latency.ran)}` : ''
}
type Latency = NonNullable<Result['scores']>['latency']

/** Speeds on different programs, or in different types, say nothing of the checkpoints: each has rows of its own. */
const speedRunners = (results: readonly (Result | null)[]): string[] => [
  ...new Set(results.flatMap((result) => speedRunner(result?.scores?.latency) ?? [])),
]

/** Standard error of a share of n things that are or are not, with the sample deviation (n - 1), as accuracies have it. */
export const errorOfShare = (share: number, n: number): number | null =>
  n < 2 ? null : Math.sqrt((share * (1 - share)) / (n - 1))

function taskOf(result: Result, task: string) {
  const tasks = result.scores?.tasks ?? {}
  return Object.hasOwn(tasks, task) ? tasks[task] : undefined
}

/** Mean over the tasks with the error of a mean of independent scores; only where a run has every task of the others. */
function meanAccuracy(result: Result, tasks: readonly string[]): MetricValue | null {
  const scores = tasks.map((task) => taskOf(result, task))
  if (tasks.length < 2 || scores.some((score) => score === undefined)) return null
  const value = scores.reduce((sum, score) => sum + (score?.acc ?? 0), 0) / tasks.length
  if (scores.some((score) => score?.stderr === null)) return { value, error: null }
  return { value, error: Math.hypot(...scores.map((score) => score?.stderr ?? 0)) / tasks.length }
}

/** Which values are the best, and which are so near that the difference may be chance. */
export function standing(
  values: readonly (MetricValue | null)[],
  better: Better,
): { best: boolean[]; close: boolean[] } {
  const known = values.filter((value) => value !== null)
  const choose = better === 'lower' ? Math.min : Math.max
  const best = choose(...known.map(({ value }) => value))
  if (known.length < 2 || known.every(({ value }) => value === best))
    return { best: values.map(() => false), close: values.map(() => false) }
  const errors = known.filter(({ value }) => value === best).map(({ error }) => error)
  const error = errors.includes(null) ? null : Math.max(...errors.map((each) => each ?? 0))
  return {
    best: values.map((value) => value?.value === best),
    close: values.map(
      (value) =>
        value !== null &&
        value.value !== best &&
        value.error !== null &&
        error !== null &&
        Math.abs(value.value - best) < Math.hypot(value.error, error),
    ),
  }
}
