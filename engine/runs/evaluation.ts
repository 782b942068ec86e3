import type { EvaluationSettings, JobContext, Predictions, ScoredCheckpoint, Scores, Stage } from '../contract/index.ts'
import { CausalScoring } from '../evaluation/causal-scoring.ts'
import { checkKindOfEvaluation } from '../evaluation/check-images.ts'
import { corpusCalled } from '../evaluation/corpus.ts'
import { scoreTask } from '../evaluation/likelihood.ts'
import { measurePerplexity } from '../evaluation/perplexity.ts'
import { openTask } from '../evaluation/open-task.ts'
import { checkShots } from '../evaluation/shots.ts'
import { loadAdapter } from '../lora/load-adapter.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { familyOf } from '../models/registry.ts'
import { StagedFiles } from '../shared/staged-files.ts'
import { linesOf, scoreImages } from './image-evaluation.ts'
import { writeLmEvalResults, writeLmEvalSamples } from './lm-eval-files.ts'
import { OwnModel } from './own-model.ts'
import { keepPredictions, keptOfImages, keptOfRows, readAllPredictions } from './predictions.ts'
import { readScores } from './run-files.ts'
import type { RunFolder } from './run-folder.ts'
import { type FinishedRunner, speedAndExamples } from './speed-and-examples.ts'
import { StageProgress } from './stage-progress.ts'

/**
 * Scores a checkpoint as part of a run, on the back end that runs already. What scores.json holds already, of an earlier
 * attempt, is not scored again; every task is written there as soon as it is over.
 */
export async function evaluateInRun(
  checkpoint: Checkpoint,
  settings: EvaluationSettings,
  which: ScoredCheckpoint,
  folder: RunFolder,
  context: JobContext,
  { finished, adapter, replaces }: Pick<ScoreOptions, 'finished' | 'adapter' | 'replaces'>,
): Promise<Scores> {
  const stage = which === 'dense' ? 'scoring dense' : 'scoring'
  // A file of predictions is written whole or not at all, and it is that of the result.
  const { predictions, lmEvalJson: _, ...rest } = settings
  const earlier = which === 'dense' || predictions === undefined ? folder.readScores()[which] : undefined
  return score(checkpoint, which === 'dense' ? rest : settings, context, {
    finished,
    adapter,
    replaces,
    stage,
    earlier,
    onPredictions: (found) => {
      folder.check()
      const message = keepPredictions(folder.path, which, found)
      if (message !== null) context.emit({ type: 'warning', message })
    },
    onScore: (scores) => folder.writeScores({ ...folder.readScores(), [which]: scores }),
  })
}

/** Takes over what an evaluation of the dense checkpoint in another folder found, so that it is not scored again. */
export function takeDense(from: string, folder: RunFolder): void {
  const { result } = readScores(from)
  folder.writeScores({ ...folder.readScores(), dense: result })
  for (const found of readAllPredictions(from, 'result')) keepPredictions(folder.path, 'dense', found)
}

interface ScoreOptions {
  /** Measures speed and writes examples where the settings want them from another program. */
  finished: FinishedRunner
  /** PEFT folder to apply. */
  adapter?: string | undefined
  /** Which files may be replaced; where this is left out, none. See `replacedBy`. */
  replaces?: ((path: string) => boolean) | undefined
  stage?: Stage
  /** What need not be scored again. */
  earlier?: Scores | undefined
  /** Sees the predictions of a task, before its score. */
  onPredictions?: (found: Predictions) => void
  /** Sees the scores as they grow. */
  onScore?: (scores: Scores) => void
}

/** Scores a checkpoint on everything that the settings name and that is not scored yet. */
export async function score(
  checkpoint: Checkpoint,
  settings: EvaluationSettings,
  context: JobContext,
  options: ScoreOptions,
): Promise<Scores> {
  const started = performance.now()
  const { predictions, lmEvalJson } = settings
  using files = new StagedFiles(options.replaces)
  for (const path of [predictions, lmEvalJson]) if (path !== undefined) files.begin(path)
  const scores = await scoreMissing(checkpoint, settings, context, { ...options, files })
  if (lmEvalJson !== undefined) {
    const seconds = (performance.now() - started) / 1000
    writeLmEvalResults(files, lmEvalJson, scores, settings, { checkpoint, adapter: options.adapter, seconds })
  }
  files.commit()
  return scores
}

async function scoreMissing(
  checkpoint: Checkpoint,
  settings: EvaluationSettings,
  context: JobContext,
  {
    finished,
    adapter,
    stage = 'scoring',
    earlier,
    onPredictions,
    onScore,
    files,
  }: ScoreOptions & { files: StagedFiles },
): Promise<Scores> {
  checkShots(settings)
  const ofImages = familyOf(checkpoint.config).task === 'image-classification'
  checkKindOfEvaluation(settings, checkpoint)
  const scores: Scores = earlier ?? { tasks: {}, perplexity: {} }
  const tasks = Object.keys(settings.tasks).filter((name) => !scores.tasks[name])
  const texts = Object.entries(settings.perplexity).filter(([name]) => !scores.perplexity[name])
  const latency = settings.latency && !scores.latency
  const examples = settings.prompts.length > 0 && !scores.examples
  const images = ofImages && !scores.classification
  if (tasks.length + texts.length === 0 && !latency && !examples && !images) return scores

  const { emit, signal } = context
  const { predictions } = settings
  const writeRows = (rows: Iterable<object>) => {
    if (predictions !== undefined) for (const row of rows) files.write(predictions, `${JSON.stringify(row)}\n`)
  }
  const tokenizer = ofImages ? null : await openTokenizer(checkpoint)
  using own = new OwnModel(checkpoint, context)
  using adapted = adapter === undefined ? undefined : loadAdapter(adapter, checkpoint)
  if (tokenizer === null) {
    const { config } = adapted ?? checkpoint
    scores.classification = await scoreImages(
      await own.get(),
      { folder: checkpoint.folder, config },
      settings,
      context,
      {
        adapter: adapted,
        stage,
        onPredictions(found) {
          writeRows(linesOf(found))
          onPredictions?.(keptOfImages(found))
        },
      },
    )
    onScore?.(scores)
    return scores
  }
  const scoring = tasks.length + texts.length > 0 ? new CausalScoring(await own.get(), { adapter: adapted }) : null
  const progress = new StageProgress(stage, emit, [...Object.keys(settings.tasks), ...Object.keys(settings.perplexity)])
  const options = (name: string) => ({
    batchTokens: settings.batchTokens,
    onProgress: ({ done, total }: { done: number; total: number }) => progress.report(done, total, name),
    signal,
  })
  const warn = (warnings: readonly string[]) => {
    for (const message of warnings) emit({ type: 'warning', message })
  }
  // Single rows are kept where predictions are.
  const samples = predictions === undefined ? undefined : settings.lmEvalJson
  for (const name of tasks) {
    const opened = await openTask(name, settings, signal)
    const { rows, warnings, ...result } = await scoreTask(scoring!, tokenizer, opened.task, opened.rows, {
      mode: settings.mode,
      ...(settings.limit === undefined ? {} : { limit: settings.limit }),
      shots: opened.shots,
      greedy: samples !== undefined,
      ...options(name),
    })
    scores.tasks[name] = result
    warn(warnings)
    writeRows(rows)
    if (samples !== undefined) writeLmEvalSamples(files, samples, opened, rows, settings)
    onPredictions?.(keptOfRows(name, rows))
    onScore?.(scores)
  }
  for (const [name, file] of texts) {
    const result = await measurePerplexity(scoring!, tokenizer, file, {
      ...corpusCalled(name),
      window: settings.window,
      ...(settings.maxWindows === undefined ? {} : { limit: settings.maxWindows }),
      ...options(name),
    })
    warn(result.warnings)
    const { value, tokens, scored, windows, protocol } = result
    scores.perplexity[name] = { value, tokens, scored, windows, window: settings.window, protocol }
    onScore?.(scores)
  }
  if (latency || examples) {
    const asked = { checkpoint, tokenizer, settings, missing: { latency, examples }, adapter: adapted }
    Object.assign(scores, await speedAndExamples(asked, { own, finished, context }))
    onScore?.(scores)
  }
  return scores
}
