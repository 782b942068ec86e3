import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Job, jobSchema, type ResultEvent, scoresOf } from '../../engine/contract/index.ts'
import { CheckpointStore } from '../../electron/database/checkpoints.ts'
import { metricNames } from '../../electron/database/metric-buckets.ts'
import type { MetricRow } from '../../electron/database/metrics.ts'
import { openDatabase } from '../../electron/database/open.ts'
import { emptyRow, type RunRow, RunStore } from '../../electron/database/runs.ts'
import { metricsOf, settingsOf } from '../../electron/services/run-values.ts'

export interface ManyRuns {
  /** Runs in all; the long ones are the newest. */
  runs: number
  /** Runs that have this many steps, with eight metrics at each; all have the same curves. */
  long: number
  steps: number
}

/** Numbers in [0, 1) that are the same every time. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/**
 * Fills the database of a data folder with finished runs as the app would have left them: settings, results, tags, notes
 * and curves, all from a seed. Returns the ids of the long runs.
 */
export function fillWithRuns(dataFolder: string, { runs: count, long, steps }: ManyRuns): number[] {
  mkdirSync(dataFolder, { recursive: true })
  const { db } = openDatabase(dataFolder)
  const store = new RunStore(db)
  const random = randomFrom(1)
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!
  const checkpoint = addCheckpoint(new CheckpointStore(db), dataFolder)
  const longIds: number[] = []
  let sweep: number | null = null
  db.transaction(() => {
    for (let number = 1; number <= count; number++) {
      // Of every fifty runs one is a sweep, and the next thirty are its own; the long ones are nobody's.
      const place = number % 50
      const isLong = number > count - long
      const job = jobOf(number, dataFolder, random, pick, place === 1 && !isLong)
      const ratio = job.kind === 'prune' ? job.ratio : 0
      const perplexity = 8 + 20 * ratio ** 2 + random()
      const result = resultOf(random, ratio, perplexity)
      const scores = scoresOf(result)
      const created = Date.UTC(2026, 0, 1) + number * 600_000
      const id = store.insert({
        ...emptyRow,
        name: `${pick(['paper settings', 'quick look', 'overnight', 'sweep'])} ${number}`,
        kind: job.kind,
        state: pick(['done', 'done', 'done', 'failed', 'cancelled'] as const),
        folder: job.out ?? '',
        device: 'onnx',
        checkpoint_id: checkpoint,
        checkpoint_name: 'llama-7b',
        parent_id: place > 1 && place <= 31 && !isLong ? sweep : null,
        created,
        started: created + 1000,
        finished: created + 1000 + Math.round(random() * 3e6),
        last_saved_step: 200,
        archived: Number(number % 50 === 0),
        notes: random() < 0.3 ? `tried after run ${number - 1}; ${pick(['promising', 'diverged', 'as expected'])}` : '',
        job: JSON.stringify(job),
        result: JSON.stringify({ parameters: result.parameters, loss: result.loss, seconds: result.seconds }),
      } satisfies Omit<RunRow, 'id'>)
      store.tags.set(id, random() < 0.4 ? [pick(['baseline', 'paper', 'candidate']), pick(['gpu', 'laptop'])] : [])
      store.putValues(id, 'setting', settingsOf(job))
      if (job.kind === 'sweep') {
        sweep = id
        continue
      }
      store.putValues(id, 'metric', metricsOf({ ...result, ...(scores && { scores }) }))
      if (isLong) longIds.push(id)
    }
  })()
  const [first, ...others] = longIds
  if (first !== undefined) addCurve(db, store, first, steps, random)
  const copy = db.prepare('INSERT INTO metrics SELECT ?, level, bucket, data FROM metrics WHERE run_id = ?')
  for (const id of others) copy.run(id, first)
  db.close()
  return longIds
}

function addCheckpoint(checkpoints: CheckpointStore, dataFolder: string): number {
  const folder = join(dataFolder, 'llama-7b')
  const layers = Array.from({ length: 32 }, () => ({ heads: 32, keyValueHeads: 32, channels: 11_008 }))
  return checkpoints.insert({
    name: 'llama-7b',
    path: folder,
    storage: 'in-place',
    kind: 'base',
    family: 'llama',
    parameters: 6_738_415_616,
    dtype: 'float16',
    bytes: 13_476_831_232,
    tokenizer: 'tokenizer.json',
    status: 'missing',
    run_id: null,
    notes: '',
    favourite: 0,
    added: Date.UTC(2026, 0, 1),
    content_hash: 'none',
    mount: null,
    fits: null,
    inspection: JSON.stringify({
      kind: 'checkpoint',
      folder,
      family: 'llama',
      architecture: 'LlamaForCausalLM',
      parameters: 6_738_415_616,
      dtype: 'float16',
      bytes: 13_476_831_232,
      hiddenSize: 4096,
      headSize: 128,
      vocabularySize: 32_000,
      maxPositions: 2048,
      tiedEmbeddings: false,
      layers,
      tokenizer: { kind: 'tokenizer.json', vocabulary: 32_000, chatTemplate: false },
      files: [],
    }),
    removed: null,
  })
}

function jobOf(
  number: number,
  dataFolder: string,
  random: () => number,
  pick: <T>(values: readonly T[]) => T,
  isSweep: boolean,
): Job {
  const places = { checkpoint: join(dataFolder, 'llama-7b'), out: join(dataFolder, 'runs', String(number)) }
  if (isSweep) {
    const base = { data: [join(dataFolder, 'alpaca.json')], steps: 100 }
    return jobSchema.parse({ kind: 'sweep', ...places, base, values: { ratio: [0.3, 0.5], seed: [0, 1, 2] } })
  }
  return jobSchema.parse({
    kind: 'prune',
    ...places,
    data: [join(dataFolder, pick(['alpaca.json', 'wikitext.txt', 'c4.jsonl']))],
    ratio: Math.round((0.1 + 0.6 * random()) * 100) / 100,
    steps: pick([100, 200, 400]),
    learningRate: pick([1e-4, 2e-4, 1e-3]),
    rank: pick([4, 8, 16]),
    lambda: pick([0.5, 0.9, 0.99]),
    seed: number,
  })
}

function resultOf(random: () => number, ratio: number, perplexity: number): ResultEvent {
  const acc = (base: number) => ({ acc: base - 0.2 * ratio + 0.05 * random(), stderr: 0.011, n: 2000 })
  return {
    type: 'result',
    parameters: { before: 6_738_415_616, after: Math.round(6_738_415_616 * (1 - 0.9 * ratio)) },
    loss: 1 + ratio + random(),
    seconds: Math.round(random() * 3000),
    peakMemoryBytes: Math.round(8e9 + random() * 8e9),
    tasks: { boolq: acc(0.75), piqa: acc(0.78), hellaswag: acc(0.72), winogrande: acc(0.68) },
    perplexity: {
      wikitext2: {
        value: perplexity,
        tokens: 340_000,
        scored: 340_000,
        windows: 2656,
        window: 128,
        protocol: 'modern',
      },
    },
  }
}

function addCurve(
  db: ReturnType<typeof openDatabase>['db'],
  store: RunStore,
  id: number,
  steps: number,
  random: () => number,
): void {
  const batch = 20_000
  for (let first = 1; first <= steps; first += batch) {
    const rows: MetricRow[] = []
    for (let step = first; step < first + batch && step <= steps; step++) {
      const done = step / steps
      const sparsity = Math.min(0.5, Math.max(0, (done - 0.1) * 0.6))
      const values: Record<(typeof metricNames)[number], number> = {
        loss: 4 * Math.exp(-3 * done) + 1 + 0.3 * random(),
        learningRate: 1e-4 * (1 - done),
        gradientNorm: 1 + random(),
        tokensPerSecond: 3000 + 100 * random(),
        imagesPerSecond: NaN,
        memoryBytes: 9e9 + 1e8 * random(),
        'sparsity.planned': sparsity,
        'sparsity.heads': sparsity,
        'sparsity.channels': sparsity,
        'sparsity.parameters': 0.8 * sparsity,
        'sparsity.parametersPlanned': 0.8 * sparsity,
        validationLoss: step % 50 === 0 ? 4 * Math.exp(-3 * done) + 1.2 : NaN,
        validationTop1: NaN,
      }
      rows.push({ step, values: Float64Array.from(metricNames, (name) => values[name]) })
    }
    db.transaction(() => store.metrics.append(id, rows))()
  }
}
