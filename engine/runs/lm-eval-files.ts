import { closeSync, writeSync } from 'node:fs'
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
import { replaceFile, writeJson } from '../shared/files.ts'
import { openToWrite } from '../shared/open-file.ts'
import { version } from '../shared/version.ts'

/** Writes the scores of all tasks of an evaluation as lm-evaluation-harness does; texts are no tasks of it. */
export function writeLmEvalResults(
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
  writeJson(path, {
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
  })
}

/** Writes a line for each row of a task, in file order; of a task of subjects a file for each. */
export function writeLmEvalSamples(
  path: string,
  { task, rows, shots }: OpenedTask,
  scored: readonly ScoredRow[],
  { mode, limit }: EvaluationSettings,
): void {
  const answers = new Map(scored.map((row) => [row.index, row]))
  const numbers = numbersInParts(rows.map(({ part }) => part))
  const lines = new Map<string, { index: number; line: string }[]>()
  for (const asked of askedRows(task, rows, { mode, shots, ...(limit !== undefined && { limit }) })) {
    const row = rows[asked.index]!
    const name = row.part === undefined ? task.name : `${task.name}_${row.part}`
    const line = JSON.stringify(sampleOf(numbers[asked.index]!, task, row, asked, answers.get(asked.index)!))
    if (!lines.has(name)) lines.set(name, [])
    lines.get(name)!.push({ index: asked.index, line })
  }
  for (const [name, ofTask] of lines)
    writeLines(
      samplesFile(path, name),
      ofTask.toSorted((a, b) => a.index - b.index).map(({ line }) => line),
    )
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

function writeLines(path: string, lines: readonly string[]): void {
  replaceFile(path, (temporary) => {
    const descriptor = openToWrite(temporary, 'w')
    try {
      for (const line of lines) writeSync(descriptor, `${line}\n`)
    } finally {
      closeSync(descriptor)
    }
  })
}
