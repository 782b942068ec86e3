import { z } from 'zod'
import type { Contradiction, CostFacts } from './criterion.ts'

/** Settings of criteria that make one score of a group's linear layers. */
export const groupSettings = {
  normalise: z.enum(['none', 'module']).default('module').describe("divide each linear layer's scores by their norm"),
  reduction: z
    .enum(['sum', 'mean', 'max', 'product', 'last'])
    .default('sum')
    .describe("how the linear layers' scores of a group become one; last: that of o or down"),
}

/** What going over a weight a few times costs, counted in operations of a product: memory is slower than arithmetic. */
const passesOverWeights = 40

/** Operations for one weight that is merged with the adapter and gone over. */
export const perWeight = ({ rank }: CostFacts): number => 2 * rank + passesOverWeights

/** Operations of a criterion that scores whenever groups are chosen, with so many for what it looks at before. */
export const perChoice = (facts: CostFacts, before = 0): number =>
  facts.choices * (before + facts.weights * perWeight(facts))

/** Operations of a forward pass over the calibration data. */
export const calibrationForward = ({ calibrationTokens, forward }: CostFacts): number => calibrationTokens * forward

/** Operations of a token's pass that gives weight gradients: forward, each block again, backward to inputs and weights. */
export const withWeightGradients = ({ forward }: CostFacts): number => 4 * forward

/** Operations of a criterion that scores the adapter's gradients of every step. */
export function adapterGradientOperations(facts: CostFacts): number {
  const { atOnce, scoredSteps, weights, rank, calibrationTokens, forward } = facts
  // Where all leaves at once no step has given gradients: the calibration text does.
  const gradients = atOnce ? calibrationTokens * 3 * forward : 0
  return scoredSteps * weights * (4 * rank + perWeight(facts)) + gradients
}

/** Bytes of two sums for each feature of every linear layer's input. */
export const statisticsBytes = ({ layers, hiddenSize, largestBlock }: CostFacts): number =>
  16 * layers * (hiddenSize * 3 + largestBlock / hiddenSize)

/** Single weights become zero before the first step, and not on the way. */
export const onlyAtOnce = (name: string, { schedule }: { schedule: string }): Contradiction | null =>
  schedule === 'iterative'
    ? { setting: 'schedule', message: `${name} sets weights to zero all at once: use one-shot` }
    : null
