import { z } from 'zod'
import { describeCriterion } from './criterion.ts'
import { groupSettings, perChoice, withWeightGradients } from './shared.ts'

/** Copies of one block's weights that are held at once: the weights, their gradients, and what the form needs beside. */
const copies = { 'element-wise': 3, 'vector-wise': 3, mixed: 5 }

export const gradient = describeCriterion({
  name: 'gradient',
  title: 'Gradient-guided (LLM-Pruner)',
  sentence: "Estimates every weight's effect on the loss from its true gradient on calibration text.",
  needs: 'weight gradients',
  ranking: 'local',
  removes: 'groups',
  memory: "one block's weights and their gradients in 32 bits, and every block's input",
  settings: {
    ...groupSettings,
    gradientForm: z
      .enum(['element-wise', 'vector-wise', 'mixed'])
      .default('element-wise')
      .describe('gradient: absolute values added up, absolute value of the sum, or with a second-order term'),
  },
  bytes({ gradientForm }, { largestBlock, calibrationTokens, hiddenSize, layers }) {
    const inputs = calibrationTokens * hiddenSize * (layers + 1)
    return 4 * (copies[gradientForm] * largestBlock + inputs)
  },
  operations: (_, facts) => perChoice(facts, facts.calibrationTokens * withWeightGradients(facts)),
})
