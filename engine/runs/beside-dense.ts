import {
  type BesideDense,
  type Closeness,
  compareAnswers,
  type EvaluationSettings,
  type JobContext,
  type Paired,
  type Scores,
} from '../contract/index.ts'
import { comparedTokens, compareWindows, type ComparedWindows, readWindows } from '../evaluation/closeness.ts'
import { corpusCalled } from '../evaluation/corpus.ts'
import { encodeCorpus, tokenWindows } from '../evaluation/perplexity.ts'
import { loadAdapter } from '../lora/load-adapter.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import { disposeModel, loadHead, loadModelInSlices } from '../models/load.ts'
import { openTokenizer } from '../models/model-tokenizer.ts'
import { familyOf } from '../models/registry.ts'
import type { RunFolder } from './run-folder.ts'
import { StageProgress } from './stage-progress.ts'

/** A model as it is scored. */
export interface Compared {
  checkpoint: Checkpoint
  /** PEFT folder to apply. */
  adapter?: string | undefined
}

/** As `besideDense`, of a run's scores; what an earlier attempt has measured is not measured again. */
export async function besideInRun(
  model: Compared,
  dense: Checkpoint,
  settings: EvaluationSettings,
  folder: RunFolder,
  context: JobContext,
): Promise<BesideDense> {
  const scores = folder.readScores()
  if (scores.besideDense) return scores.besideDense
  const both = { model: scores.result!, dense: scores.dense! }
  const found = await besideDense(model, dense, both, settings, context)
  folder.writeScores({ ...folder.readScores(), besideDense: found })
  return found
}

/**
 * What accuracy and perplexity hide of a model beside the dense one that it came from: answers that changed, and how far apart
 * the two are token by token.
 */
export async function besideDense(
  model: Compared,
  dense: Checkpoint,
  scores: { model: Scores; dense: Scores },
  settings: EvaluationSettings,
  context: JobContext,
): Promise<BesideDense> {
  return { ...changedAnswers(scores.dense, scores.model), texts: await closenessOf(model, dense, settings, context) }
}

const paired = (before: string | undefined, after: string | undefined): Paired | null =>
  before === undefined || after === undefined || before.length !== after.length ? null : compareAnswers(before, after)

/** Rows that both were scored on, paired; what was scored without its answers is left out. */
function changedAnswers(dense: Scores, model: Scores): Pick<BesideDense, 'tasks' | 'images'> {
  const tasks: Record<string, Paired> = {}
  for (const name of Object.keys(model.tasks)) {
    const changed = paired(dense.tasks[name]?.answers, model.tasks[name]!.answers)
    if (changed) tasks[name] = changed
  }
  const images = paired(dense.classification?.answers, model.classification?.answers)
  return { tasks, ...(images && { images }) }
}

/**
 * Reads the first windows of each text with one model after the other, so that one of them is in memory at a time: of the
 * first, the last block's output is kept.
 */
async function closenessOf(
  { checkpoint, adapter }: Compared,
  dense: Checkpoint,
  settings: EvaluationSettings,
  { emit, signal }: JobContext,
): Promise<Record<string, Closeness>> {
  const names = Object.keys(settings.perplexity)
  if (names.length === 0 || !areComparable(checkpoint, dense)) return {}
  const texts = await windowsOf(checkpoint, dense, settings, signal)
  const progress = new StageProgress('comparing', emit, [...names, ...names.map((name) => `${name}, dense`)])
  const work = (item: string) => ({
    signal,
    onProgress: (done: number, total: number) => progress.report(done, total, item),
  })
  const outputs = await outputsOf({ checkpoint, adapter }, texts, work, signal)
  const teacher = await loadModelInSlices(dense, { signal })
  const head = loadHead(checkpoint)
  try {
    const found: Record<string, Closeness> = {}
    for (const [name, windows] of texts)
      found[name] = await compareWindows(teacher, head, outputs.get(name)!, windows, work(`${name}, dense`))
    return found
  } finally {
    disposeModel(head)
    disposeModel(teacher)
  }
}

/** What the last block of a model makes of each text. A function of its own: what a waiting one names is not collected. */
async function outputsOf(
  { checkpoint, adapter }: Compared,
  texts: ReadonlyMap<string, ComparedWindows>,
  work: (item: string) => { signal: AbortSignal; onProgress: (done: number, total: number) => void },
  signal: AbortSignal,
): Promise<Map<string, Float32Array[]>> {
  const outputs = new Map<string, Float32Array[]>()
  const model = await loadModelInSlices(checkpoint, { signal })
  try {
    using adapted = adapter === undefined ? undefined : loadAdapter(adapter, checkpoint)
    for (const [name, windows] of texts) outputs.set(name, await readWindows(model, adapted, windows, work(name)))
    return outputs
  } finally {
    disposeModel(model)
  }
}

/** Only language models with one vocabulary say something of the same tokens. */
const areComparable = (one: Checkpoint, other: Checkpoint): boolean =>
  familyOf(one.config).task === 'causal-lm' && one.config.vocabularySize === other.config.vocabularySize

/** Windows of each text whose tokens are the same for both; other texts are left out. */
async function windowsOf(
  checkpoint: Checkpoint,
  dense: Checkpoint,
  settings: EvaluationSettings,
  signal: AbortSignal,
): Promise<Map<string, ComparedWindows>> {
  const { window, maxWindows = Infinity, batchTokens } = settings
  const limit = Math.max(1, Math.min(maxWindows, Math.floor(comparedTokens / window)))
  const tokenizers = [await openTokenizer(checkpoint), await openTokenizer(dense)]
  const texts = new Map<string, ComparedWindows>()
  for (const [name, file] of Object.entries(settings.perplexity)) {
    const options = { window, signal, ...corpusCalled(name) }
    const [own, theirs] = await Promise.all(
      tokenizers.map(async (tokenizer) => {
        const { ids } = await encodeCorpus(file, tokenizer, checkpoint.config.maxPositions, options)
        return [...tokenWindows(ids, window, window, limit)].map(({ prefix, suffixes }) => [...prefix, ...suffixes[0]!])
      }),
    )
    if (JSON.stringify(own) === JSON.stringify(theirs))
      texts.set(name, { ids: own!, rows: Math.max(1, Math.floor(batchTokens / window)) })
  }
  return texts
}
