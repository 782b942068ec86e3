import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { manifestSchema, packRun, unpackRun } from '../../../electron/services/run-archive.ts'
import {
  evaluateSchema,
  finetuneSchema,
  type Job,
  planSchema,
  pruneSchema,
  type RunFile,
  sweepSchema,
} from '../../../engine/contract/index.ts'
import { adapterMatrices } from '../../../engine/lora/peft.ts'
import { writeAdapter } from '../../../engine/lora/write-peft.ts'
import { loadAdapter } from '../../../engine/lora/load-adapter.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { kinds } from '../../../engine/models/family.ts'
import { fullMasks } from '../../../engine/pruning/groups.ts'
import { compareChoices } from '../../../engine/runs/compare-choices.ts'
import { compareImages } from '../../../engine/runs/compare-images.ts'
import { planBudgets } from '../../../engine/runs/plan.ts'
import { keptOfImages } from '../../../engine/runs/predictions.ts'
import { readState } from '../../../engine/runs/state-file.ts'
import { readRunFolder } from '../../../engine/runs/run-report.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { readSweep, reportSweep } from '../../../engine/sweeps/read-sweep.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { visionModel } from '../../fixtures/vision.ts'
import { filesIn } from '../files.ts'
import type { Input, Target } from '../target.ts'
import { safetensorsOf } from './weights.ts'

/** A language model and a classifier of images. */
const models = { language: fixtureModel('llama_gqa'), images: visionModel('vit_hf') }

const json = (value: unknown) => Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
const lines = (...values: unknown[]) => Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
const control = { signal: new AbortController().signal, progress: () => {} }

const runFile = (job: Job): RunFile => ({
  version: 1,
  job,
  started: '2026-01-01T00:00:00.000Z',
  software: { secateur: '0.1.0', node: '24.0.0' },
  hardware: { processor: 'some', cores: 2, memoryBytes: 8e9 },
})
const step = (at: number) => ({ step: at, loss: 1 / at, learningRate: 1e-4, gradientNorm: 1, tokens: 8 })
const layer = { heads: { scores: [1, 2], kept: [0, 1] }, channels: { scores: [1], kept: [0.5], count: 8 } }
const scores = {
  tasks: {},
  perplexity: { held: { value: 9, tokens: 10, scored: 9, windows: 1, window: 10, protocol: 'p' } },
}
const finetune = finetuneSchema.parse({ kind: 'finetune', checkpoint: 'model', data: ['a.txt'], out: 'run' })

const finished: Input = {
  'run.json': json(runFile(finetune)),
  'metrics.jsonl': lines(step(1), step(2), step(3)),
  'pruning.jsonl': lines({ step: 2, planned: 0.5, layers: [layer] }),
  'samples.jsonl': lines({ step: 2, prompt: 'a', text: 'b' }),
  'scores.json': json({ result: scores }),
  'predictions/result.piqa.json': json({
    version: 1,
    kind: 'choices',
    n: 2,
    task: 'piqa',
    rows: [0, 3],
    gold: [1, 0],
    predicted: [0, 0],
    logLikelihoods: [
      [-1, -2],
      [-3.5, -4],
    ],
  }),
  'predictions/result.images.json': json(
    keptOfImages({
      classes: ['a', 'b'],
      images: ['a/1.png', 'a/2.png', 'b/1.png'].map((name, at) => ({ file: `/images/${name}`, label: at % 2 })),
      labels: [0, 0, 1],
      predicted: [0, 1, 1],
      ranks: [0, 1, 0],
      logLikelihoods: { label: [-0.1, -2, -0.3], predicted: [-0.1, -0.2, -0.3] },
    }),
  ),
  'result.json': json({
    finished: '2026-01-01T00:00:00.000Z',
    outcome: { type: 'result', ...scores, loss: 1, seconds: 2 },
  }),
  'state/state.safetensors': safetensorsOf(
    [
      { name: 'adapter.0.q.a', dtype: 'float32', shape: [2, 4] },
      { name: 'mask.0.heads', dtype: 'float32', shape: [2] },
    ],
    { step: '3' },
  ),
}

export const runFolder: Target = {
  name: 'run-folder',
  seeds: () => [
    finished,
    { 'run.json': json(runFile(evaluateSchema.parse({ kind: 'evaluate', checkpoint: 'm', evaluation: {} }))) },
  ],
  async read(folder) {
    await readRunFolder({ path: folder }, control)
    compareImages({ after: { path: folder, which: 'result' }, outcome: 'wrong', offset: 0, limit: 9 })
    const page = { metric: 'acc', search: '', order: 'margin', offset: 0, limit: 9 } as const
    const after = { path: folder, which: 'result' } as const
    await compareChoices({ after, task: 'piqa', outcome: 'wrong', ...page }, control)
    const state = join(folder, 'state/state.safetensors')
    if (existsSync(state)) readState(state)
  },
}

/** A pruning run with the scores that budgets are planned from. */
export const plannedRun: Target = {
  name: 'planned-run',
  seeds() {
    using base = openCheckpoint(models.language)
    const job = pruneSchema.parse({ kind: 'prune', checkpoint: models.language, data: ['a.txt'], out: 'run' })
    const groups = fullMasks(base.config, job.headGroups).flatMap((masks, index) =>
      ['mask', 'score', 'chosen'].flatMap((name) =>
        kinds.map((kind) => ({
          name: `${name}.${index}.${kind}`,
          dtype: 'float32' as const,
          shape: [masks[kind].length],
        })),
      ),
    )
    return [
      {
        'run.json': json(runFile(job)),
        'metrics.jsonl': lines(step(1), step(2), step(3)),
        'state/state.safetensors': safetensorsOf(groups, { step: '3' }),
      },
    ]
  },
  async read(run) {
    await planBudgets(planSchema.parse({ run, budgets: ['parameters=0.9'] }), control)
  },
}

const sweep = sweepSchema.parse({
  kind: 'sweep',
  checkpoint: 'model',
  out: 'sweep',
  base: { data: ['a.txt'], steps: 2 },
  values: { ratio: [0.2, 0.5], criterion: ['loraprune', 'random'] },
})

export const sweepFolder: Target = {
  name: 'sweep-folder',
  seeds: () => [
    {
      'run.json': json(runFile(sweep)),
      'failures.json': json([{ name: 'ratio=0.2', message: 'no' }]),
      'dense/result.json': finished['result.json']!,
    },
  ],
  read(folder) {
    readSweep({ path: folder })
    for (const as of ['markdown', 'table', 'runs'] as const) reportSweep({ path: folder, as })
  },
}

const pair = () => ({
  q: { a: new Float32Array(2 * 32), b: new Float32Array(64 * 2) },
  down: { a: new Float32Array(2 * 48), b: new Float32Array(32 * 2) },
})
const pairOfEncoder = () => ({ q: { a: new Float32Array(2 * 24), b: new Float32Array(24 * 2) } })

export const peft: Target = {
  name: 'peft',
  async seeds() {
    using base = openCheckpoint(models.language)
    using encoder = openCheckpoint(models.images)
    const folder = await mkdtemp(join(tmpdir(), 'secateur-fuzz-peft-'))
    try {
      const matrices = adapterMatrices(base.config, [pair(), pair()])
      const settings = { rank: 2, alpha: 16, dropout: 0, rankStabilised: true, base: 'b', targetModules: ['q', 'down'] }
      await writeAdapter(join(folder, 'a'), { ...settings, matrices }, base.config)
      const labels = ['cat', 'dog', 'newt']
      const ofImages = {
        ...settings,
        targetModules: ['q'],
        matrices: adapterMatrices(encoder.config, [pairOfEncoder(), pairOfEncoder()]),
        classifier: { a: new Float32Array(3 * 24), b: new Float32Array(3), inputs: 24, labels },
      }
      await writeAdapter(join(folder, 'b'), ofImages, encoder.config)
      return [filesIn(join(folder, 'a')), filesIn(join(folder, 'b'))]
    } finally {
      await rm(folder, { recursive: true })
    }
  },
  read(folder) {
    // It is one of them that an adapter belongs to; the other one refuses it.
    const refusals = Object.values(models).flatMap((path) => {
      using base = openCheckpoint(path)
      try {
        loadAdapter(folder, base)
        return []
      } catch (error) {
        return [error]
      }
    })
    const fault = refusals.find((error) => !(error instanceof SecateurError))
    if (fault !== undefined) throw fault
    if (refusals.length > 1) throw refusals[0]
  },
}

export const aManifest = manifestSchema.parse({
  format: 'secateur-run',
  version: 1,
  name: 'a run',
  notes: '',
  tags: [],
  created: 0,
  started: null,
  finished: null,
  log: [],
})

/** Archives as they are, and the bytes within, which are packed again when they have been changed. */
async function archiveBytes(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'secateur-fuzz-archive-'))
  try {
    const run = join(folder, 'run')
    await mkdir(join(run, 'output'), { recursive: true })
    for (const [name, bytes] of Object.entries(finished)) {
      if (name.startsWith('state')) continue
      await mkdir(dirname(join(run, name)), { recursive: true })
      await writeFile(join(run, name), bytes)
    }
    await writeFile(join(run, 'output/model.safetensors'), Buffer.alloc(100_000, 1))
    await packRun(run, aManifest, join(folder, 'a.tar.gz'), { includeOutput: true }, control)
    return await readFile(join(folder, 'a.tar.gz'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

export const archive: Target = {
  name: 'archive',
  async seeds(): Promise<Input[]> {
    const packed = await archiveBytes()
    return [{ 'a.tar.gz': packed }, { 'a.tar': gunzipSync(packed) }]
  },
  async read(folder, out) {
    const plain = join(folder, 'a.tar')
    const file = join(folder, 'a.tar.gz')
    if (!existsSync(plain)) return void (await unpackRun(file, out, control))
    const bytes = await readFile(plain)
    await writeFile(plain, gzipSync(bytes, { level: 1 }))
    try {
      await unpackRun(plain, out, control)
    } finally {
      await writeFile(plain, bytes)
    }
  },
}
