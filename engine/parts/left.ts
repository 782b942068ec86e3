import type { EvaluateJob } from '../contract/index.ts'
import { isDone } from './part-results.ts'
import { splitEvaluation } from './split.ts'

/** What is left to score of an evaluation in parts that goes on. */
export interface LeftToScore {
  /** The evaluation, without what parts that are over have scored. */
  job: EvaluateJob
  parts: number
  finished: number
}

/** @throws SecateurError as `isDone` does */
export function leftToScore(job: EvaluateJob): LeftToScore {
  const { out, evaluation } = job
  const parts = splitEvaluation(job, out ?? '')
  const done = out === undefined ? [] : parts.filter(isDone).map(({ scores }) => scores)
  const isOver = (kind: string, name?: string) =>
    done.some((scores) => scores.kind === kind && (!('name' in scores) || scores.name === name))
  const stillOf = (kind: 'task' | 'text', files: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(files).filter(([name]) => !isOver(kind, name)))
  const { images, ...others } = evaluation
  const left = {
    ...others,
    tasks: stillOf('task', evaluation.tasks),
    perplexity: stillOf('text', evaluation.perplexity),
    fewShotFrom: stillOf('task', evaluation.fewShotFrom),
    ...(images !== undefined && !isOver('images') && { images }),
    latency: evaluation.latency && !isOver('speed'),
    prompts: isOver('examples') ? [] : evaluation.prompts,
  }
  return { job: { ...job, evaluation: left }, parts: parts.length, finished: done.length }
}
