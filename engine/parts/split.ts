import { join } from 'node:path'
import type { EvaluateJob, EvaluationSettings } from '../contract/index.ts'
import type { RunnerWork } from '../runners/runner.ts'
import { runFiles } from '../runs/run-files.ts'

/** What a part scores: one thing of each kind at most. */
export type Scored =
  | { kind: 'task' | 'text'; name: string; file: string }
  | { kind: 'images' }
  | { kind: 'speed' }
  | { kind: 'examples' }

/** What one process scores of an evaluation, in a run folder of its own. */
export interface Part {
  /** Names its folder, and it in messages. */
  name: string
  scores: Scored
  job: EvaluateJob & { out: string }
}

/** Files in the folder of a part, of which those that the evaluation names are made. */
export const partFiles = { rows: 'rows.jsonl', lmEval: 'lm-eval.json' } as const

/**
 * The parts of an evaluation, in the order in which one process would score them: every task, every text, the images, the
 * speed, the examples. Each scores the dense checkpoint too, where the evaluation does. The same job has the same parts.
 *
 * @param folder of the evaluation
 */
export function splitEvaluation(job: EvaluateJob, folder: string): Part[] {
  const { evaluation } = job
  const all: Scored[] = [
    ...Object.entries(evaluation.tasks).map(([name, file]) => ({ kind: 'task', name, file }) as const),
    ...Object.entries(evaluation.perplexity).map(([name, file]) => ({ kind: 'text', name, file }) as const),
    ...(evaluation.images === undefined ? [] : [{ kind: 'images' } as const]),
    ...(evaluation.latency ? [{ kind: 'speed' } as const] : []),
    ...(evaluation.prompts.length > 0 ? [{ kind: 'examples' } as const] : []),
  ]
  const digits = String(all.length).length
  return all.map((scores, index) => {
    const number = String(index + 1).padStart(digits, '0')
    const name = `${number}-${slug('name' in scores ? scores.name : scores.kind)}`.slice(0, 100)
    return { name, scores, job: jobOf(job, scores, join(folder, runFiles.parts, name)) }
  })
}

/** What there is to do for an evaluation: speed alone, once everything else is over. */
export function workOfParts(
  job: EvaluateJob & { out: string },
  parts: readonly Part[],
  { folder, resume }: Pick<RunnerWork, 'folder' | 'resume'>,
): RunnerWork {
  const isSpeed = ({ scores }: Part) => scores.kind === 'speed'
  return {
    job,
    folder,
    resume,
    parallel: job.parallel ?? 1,
    stages: [
      { tasks: parts.filter((part) => !isSpeed(part)), waits: false, isNeeded: false },
      { tasks: parts.filter(isSpeed), waits: true, isNeeded: false },
    ],
    isSettled: () => true,
  }
}

function jobOf(job: EvaluateJob, scores: Scored, out: string): Part['job'] {
  const { parallel: _, cluster: __, evaluation, ...rest } = job
  return { ...rest, out, evaluation: settingsOf(evaluation, scores, out) }
}

/** The settings of an evaluation of which one thing is scored: what speaks of others is left out. */
function settingsOf(settings: EvaluationSettings, scores: Scored, out: string): EvaluationSettings {
  const { images, fewShot, fewShotFrom, predictions, lmEvalJson, latencyLengths, prompts, ...shared } = settings
  const hasRows = scores.kind === 'task' || scores.kind === 'images'
  const only = {
    ...shared,
    tasks: {},
    perplexity: {},
    fewShotFrom: {},
    latency: false,
    latencyLengths: [],
    prompts: [],
    ...(hasRows && predictions !== undefined && { predictions: join(out, partFiles.rows) }),
    ...(lmEvalJson !== undefined && { lmEvalJson: join(out, partFiles.lmEval) }),
  }
  switch (scores.kind) {
    case 'task': {
      const { name, file } = scores
      const from = fewShotFrom[name]
      return {
        ...only,
        tasks: { [name]: file },
        ...(fewShot !== undefined && { fewShot }),
        ...(from !== undefined && { fewShotFrom: { [name]: from } }),
      }
    }
    case 'text':
      return { ...only, perplexity: { [scores.name]: scores.file } }
    case 'images':
      return { ...only, ...(images !== undefined && { images }) }
    case 'speed':
      return { ...only, latency: true, latencyLengths }
    case 'examples':
      return { ...only, prompts }
  }
}

const slug = (name: string): string => name.replaceAll(/[^\w-]+/g, '-').replaceAll(/^-+|-+$/g, '') || 'part'
