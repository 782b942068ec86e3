import { criterionList, type SweepJob, type SweepPreset } from '../contract/index.ts'

type Plan = Partial<Pick<SweepJob, 'base' | 'values' | 'variants'>>

const seeds = [0, 1, 2]
const groupCriteria = criterionList.filter(({ removes }) => removes !== 'weights').map(({ name }) => name)
const weightCriteria = criterionList.filter(({ removes }) => removes === 'weights').map(({ name }) => name)
const once = { schedule: 'one-shot' }

/** What each preset varies. Checkpoint, data and evaluation are the user's. Seeds go outermost: see scripts/experiments.ts. */
export const presets: Record<SweepPreset, Plan> = {
  /** The zero-shot table: every criterion with fine-tuning and without. */
  criteria: {
    values: { seed: seeds, ratio: [0.2, 0.5], criterion: groupCriteria },
    variants: [{ healing: true }, { healing: false, ...once }],
  },
  /** The first version of the paper compares criteria on ViT; its ratios are not known, these are ours. */
  images: {
    values: {
      seed: seeds,
      ratio: [0.5, 0.75, 0.25],
      criterion: ['loraprune', 'magnitude', 'movement', 'random', 'gradient', 'wanda'],
    },
  },
  lambda: { values: { seed: seeds, lambda: [0, 0.3, 0.6, 0.9, 0.99] } },
  frequency: { values: { seed: seeds, frequency: [1, 5, 10, 20, 50] } },
  steps: { values: { seed: seeds, steps: [25, 50, 100, 200, 400] } },
  /** Scoring alone, so that the peak of each process is that of its criterion. */
  memory: {
    base: { ...once, healing: false, evaluation: undefined },
    values: { criterion: ['loraprune', 'gradient'] },
  },
  speed: {
    base: { evaluation: { latency: true, latencyLengths: [32, 128, 256] } },
    values: { ratio: [0.2, 0.5] },
  },
  examples: {
    base: { evaluation: { prompts: ['Once upon a time', 'The old man said that', 'In the morning'] } },
    values: { criterion: ['loraprune', 'magnitude', 'random'], ratio: [0.2, 0.5] },
  },
  /** What merging an adapter does to zeros, at the same ratio. */
  unstructured: {
    values: { seed: seeds, ratio: [0.5] },
    variants: [
      ...['loraprune', 'magnitude', 'wanda'].map((criterion) => ({ criterion, healing: true })),
      ...weightCriteria.flatMap((criterion) => [
        { criterion, healing: false, ...once },
        { criterion, healing: true, ...once },
      ]),
    ],
  },
}
