import { type SweepJob, sweepSchema } from '../engine/contract/index.ts'

/** Ways to choose what leaves and to heal it, from the paper's on. All of them leave the same number of parameters. */
const recipes = [
  { budget: false, uniform: true, distil: 0 },
  { budget: false, uniform: true, distil: 1 },
  { budget: true, uniform: true, distil: 0 },
  { budget: true, uniform: true, distil: 1 },
  { budget: true, uniform: false, distil: 0 },
  { budget: true, uniform: false, distil: 1 },
] as const

/**
 * The sweep that compares recipes of LoRAPrune: a ratio in every layer against a budget, with and without the dense model as
 * the teacher, at half and four fifths of all parameters.
 *
 * @param given the sweep whose checkpoint, data, base settings and evaluation it has
 */
export function recipesJob(given: SweepJob, seeds: number, out: string): SweepJob {
  const variants = [0.5, 0.8].flatMap((left) =>
    recipes.map(({ budget, ...recipe }) => ({
      ...recipe,
      ...(budget ? { budget: `parameters=${left}` } : { targetFraction: left, ratioOf: 'parameters' }),
      ...(recipe.uniform ? {} : { protectFirst: 0, protectLast: 0 }),
    })),
  )
  const base = { ...given.base }
  delete base.ratioOf
  return sweepSchema.parse({
    ...given,
    out,
    base,
    values: { seed: Array.from({ length: seeds }, (_, seed) => seed) },
    variants,
  })
}
