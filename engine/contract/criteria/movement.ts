import { z } from 'zod'
import { describeCriterion } from './criterion.ts'
import { adapterGradientOperations, groupSettings, perWeight, withWeightGradients } from './shared.ts'

export const movement = describeCriterion({
  name: 'movement',
  title: 'Movement',
  sentence: 'Keeps groups whose weights training drives away from zero, added up over the steps.',
  needs: 'adapter gradients',
  scoresThroughAdapter: ({ movementGradients }) => movementGradients === 'adapter',
  ranking: 'local',
  removes: 'groups',
  memory: 'a number for each group; with true weight gradients also those of one block',
  settings: {
    ...groupSettings,
    movementGradients: z
      .enum(['adapter', 'weights'])
      .default('adapter')
      .describe("movement: estimated from the adapter's gradients, or the weights' own (more memory and time)"),
  },
  bytes: ({ movementGradients }, { largestBlock }) => (movementGradients === 'weights' ? 4 * 3 * largestBlock : 0),
  operations: ({ movementGradients }, facts) =>
    movementGradients === 'weights'
      ? facts.scoredSteps * (facts.stepTokens * withWeightGradients(facts) + facts.weights * perWeight(facts))
      : adapterGradientOperations(facts),
  contradiction: ({ reduction }) =>
    reduction === 'product'
      ? {
          setting: 'reduction',
          message: 'movement has a sign, so that its product over linear layers says nothing: use sum',
        }
      : null,
})
