import { join, resolve } from 'node:path'
import { type SweepJob, sweepSchema } from '../engine/contract/index.ts'

const root = join(import.meta.dirname, '..')
const sample = join(root, 'resources/sample-vit')

/** Those that the paper's abstract speaks of, and what they are to be laid beside. */
const criterion = ['loraprune', 'magnitude', 'movement', 'random', 'gradient']

/** Flags of `npm run experiments` that it takes. */
interface Flags {
  checkpoint?: string | undefined
  data?: string[] | undefined
  out?: string | undefined
  steps?: string | undefined
  seeds: string
  parallel: string
}

/** The sweep of the paper's comparison on a classifier of images: at 25, 50 and 75 %, healed, with several seeds. */
export function visionJob(values: Flags): SweepJob {
  const data = values.data?.[0] ?? sample
  return sweepSchema.parse({
    kind: 'sweep',
    preset: 'images',
    checkpoint: values.checkpoint ?? join(sample, 'model'),
    out: values.out ?? join(root, 'runs/experiments-vision'),
    parallel: Number(values.parallel),
    keepCheckpoints: false,
    base: {
      data: [data],
      // Of as many images many small steps, some of them after the last removal, heal more than few large ones.
      steps: Number(values.steps ?? 400),
      batchSize: 16,
      frequency: 10,
      pruneCooldown: 0.4,
      ratioOf: 'parameters',
      rank: 16,
      alpha: 32,
      dropout: 0,
      learningRate: 1e-3,
      augmentation: 'flip',
      saveEvery: 50,
      evaluation: { images: resolve(data) },
    },
    values: { criterion, seed: Array.from({ length: Number(values.seeds) }, (_, seed) => seed) },
  })
}
