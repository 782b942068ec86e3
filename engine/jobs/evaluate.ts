import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { chooseBackend } from '../backends/choose.ts'
import { type Checkpoint, openCheckpoint } from '../checkpoint/checkpoint.ts'
import { checkAdapter, readAdapter } from '../checkpoint/peft.ts'
import { loadTokenizer } from '../checkpoint/tokenizer.ts'
import type { EvaluateJob, EvaluationSettings, JobContext, ResultEvent, Scores } from '../contract.ts'
import { writeJson } from '../files.ts'
import { corpusKind } from '../evaluation/corpus.ts'
import { measureLatency } from '../evaluation/latency.ts'
import { scoreTask } from '../evaluation/likelihood.ts'
import { LlamaScoring } from '../evaluation/llama-scoring.ts'
import { measurePerplexity } from '../evaluation/perplexity.ts'
import { readTask } from '../evaluation/read-task.ts'
import type { TaskName } from '../evaluation/tasks/index.ts'
import { type Adapter, adapterFrom } from '../lora/adapter.ts'
import { disposeModel, loadModel } from '../models/load.ts'
import { estimateJob, refuseIfTooLarge } from './estimate.ts'
import { peakMemory } from './memory.ts'

/** Scores a checkpoint, with an adapter or without, on task files and texts. */
export async function evaluate(job: EvaluateJob, context: JobContext): Promise<ResultEvent> {
  const started = performance.now()
  using checkpoint = openCheckpoint(job.checkpoint)
  const estimate = estimateJob(job, checkpoint)
  context.emit({ type: 'estimate', estimate })
  refuseIfTooLarge(estimate)
  const { name, threads } = await chooseBackend(job)
  context.emit({ type: 'started', job, backend: name, threads })
  const adapter = job.adapter === undefined ? undefined : loadAdapter(job.adapter, checkpoint)
  const scores = await score(checkpoint, job.evaluation, context, adapter)
  const { parameters } = checkpoint
  const result: ResultEvent = {
    type: 'result',
    parameters: { before: parameters, after: parameters },
    ...scores,
    ...peakMemory(),
    seconds: (performance.now() - started) / 1000,
  }
  if (job.out !== undefined) writeJson(join(job.out, 'scores.json'), result)
  return result
}

/** Scores the checkpoint in a folder on the back end that runs already. */
export async function evaluateCheckpoint(
  folder: string,
  settings: EvaluationSettings,
  context: JobContext,
): Promise<Scores> {
  using checkpoint = openCheckpoint(folder)
  return await score(checkpoint, settings, context)
}

export function loadAdapter(folder: string, checkpoint: Checkpoint): Adapter {
  const adapter = readAdapter(folder)
  checkAdapter(adapter, checkpoint.config)
  return adapterFrom(checkpoint.config, adapter, (layer, projection) =>
    adapter.matrices.get(`layers.${layer}.${projection}`),
  )
}

async function score(
  checkpoint: Checkpoint,
  settings: EvaluationSettings,
  { emit, signal }: JobContext,
  adapter?: Adapter,
): Promise<Scores> {
  const tokenizer = await loadTokenizer(checkpoint.folder)
  const model = loadModel(checkpoint)
  const scoring = new LlamaScoring(model, { adapter })
  const items = [...Object.keys(settings.tasks), ...Object.keys(settings.perplexity)]
  const progress =
    (item: string) =>
    ({ done, total }: { done: number; total: number }) =>
      emit({
        type: 'progress',
        stage: 'scoring',
        item,
        done,
        total,
        parts: { done: items.indexOf(item), total: items.length },
      })
  const scores: Scores = { tasks: {}, perplexity: {} }
  const rowsFile = settings.rows === undefined ? null : openSync(settings.rows, 'w')
  try {
    for (const [name, file] of Object.entries(settings.tasks) as [TaskName, string][]) {
      const { rows, warnings, ...result } = await scoreTask(
        scoring,
        tokenizer,
        name,
        await readTask(name, file, signal),
        {
          mode: settings.mode,
          ...(settings.limit === undefined ? {} : { limit: settings.limit }),
          ...(settings.shots === 0 ? {} : { shots: { count: settings.shots } }),
          batchTokens: settings.batchTokens,
          onProgress: progress(name),
          signal,
        },
      )
      scores.tasks[name] = result
      for (const message of warnings) emit({ type: 'warning', message })
      if (rowsFile !== null) for (const row of rows) writeSync(rowsFile, `${JSON.stringify(row)}\n`)
    }
  } finally {
    if (rowsFile !== null) closeSync(rowsFile)
  }
  for (const [name, file] of Object.entries(settings.perplexity)) {
    const corpus = corpusKind.safeParse(name)
    const result = await measurePerplexity(scoring, tokenizer, file, {
      ...(corpus.success ? { corpus: corpus.data } : {}),
      window: settings.window,
      ...(settings.windows === undefined ? {} : { limit: settings.windows }),
      batchTokens: settings.batchTokens,
      onProgress: progress(name),
      signal,
    })
    for (const message of result.warnings) emit({ type: 'warning', message })
    const { value, tokens, scored, windows, protocol } = result
    scores.perplexity[name] = { value, tokens, scored, windows, window: settings.window, protocol }
  }
  if (settings.latency) scores.latency = await measureLatency(model)
  disposeModel(model)
  return scores
}
