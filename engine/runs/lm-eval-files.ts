import { resolve } from 'node:path'
import { type EvaluationSettings, isTaskName, type Scores } from '../contract/index.ts'
import { resultParts } from '../evaluation/lm-eval/results.ts'
import { sampleOf, samplesFile } from '../evaluation/lm-eval/samples.ts'
import type { OpenedTask } from '../evaluation/open-task.ts'
import { readTaskFile } from '../evaluation/own-task/task-file.ts'
import { askedRows } from '../evaluation/plan.ts'
import { fewShotSeed } from '../evaluation/select.ts'
import type { ScoredRow } from '../evaluation/task-score.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { StagedFiles } from '../shared/staged-files.ts'
import { version } from '../shared/version.ts'

/** Writes the scores of all tasks of an evaluation as lm-evaluation-harness does; texts are no tasks of it. */
export function writeLmEvalResults(
  files: StagedFiles,
  path: string,
  scores: Scores,
  settings: EvaluationSettings,
  { checkpoint, adapter, seconds }: { checkpoint: Checkpoint; adapter: string | undefined; seconds: number },
): void {
  const tasks = Object.entries(scores.tasks).map(([name, score]) => {
    const file = settings.tasks[name]!
    return { name, score, file, config: isTaskName(name) ? null : readTaskFile(name, file) }
  })
  const { groups, ...parts } = resultParts(tasks)
  const model = resolve(checkpoint.folder)
  const results = {
    ...parts,
    ...(Object.keys(groups).length > 0 && { groups }),
    config: {
      model: 'secateur',
      model_args: { checkpoint: model, ...(adapter !== undefined && { adapter: resolve(adapter) }) },
      model_num_parameters: checkpoint.parameters,
      model_dtype: checkpoint.dtype,
      batch_size: null,
      limit: settings.limit ?? null,
      bootstrap_iters: 0,
      fewshot_seed: fewShotSeed,
    },
    date: Date.now() / 1000,
    secateur_version: version,
    max_length: checkpoint.config.maxPositions,
    model_source: 'secateur',
    model_name: model,
    // As the harness does it.
    model_name_sanitized: model.replaceAll(/["<>:/|\\?*[\]]+/g, '__'),
    total_evaluation_time_seconds: String(seconds),
  }
  files.write(path, `${JSON.stringify(results, null, 2)}\n`)
}

/** Writes a line for each row of a task, in file order; of a task of subjects a file for each. */
export function writeLmEvalSamples(
  files: StagedFiles,
  path: string,
  { task, rows, shots }: OpenedTask,
  scored: readonly ScoredRow[],
  { mode, limit }: EvaluationSettings,
): void {
  const answers = new Map(scored.map((row) => [row.index, row]))
  const numbers = numbersInParts(rows.map(({ part }) => part))
  const drawn = askedRows(task, rows, { mode, shots, ...(limit !== undefined && { limit }) })
  // The papers' harness asks in an order that it draws; today's asks in that of the file, and none of it need be kept.
  for (const asked of mode === 'legacy' ? [...drawn].toSorted((a, b) => a.index - b.index) : drawn) {
    const row = rows[asked.index]!
    const name = row.part === undefined ? task.name : `${task.name}_${row.part}`
    const line = JSON.stringify(sampleOf(numbers[asked.index]!, task, row, asked, answers.get(asked.index)!))
    files.write(samplesFile(path, name), `${line}\n`)
  }
}

/** The number of each row among those of its part. */
function numbersInParts(parts: readonly (string | undefined)[]): number[] {
  const next = new Map<string | undefined, number>()
  return parts.map((part) => {
    const number = next.get(part) ?? 0
    next.set(part, number + 1)
    return number
  })
}
