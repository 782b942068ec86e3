import { z } from 'zod'
import { describeCriterion } from './criterion.ts'
import { calibrationForward, perChoice, statisticsBytes } from './shared.ts'

export const flap = describeCriterion({
  name: 'flap',
  title: 'FLAP',
  sentence: 'Removes groups whose output hardly fluctuates, and keeps their mean contribution as a bias.',
  needs: 'activations',
  ranking: 'global',
  comparable: true,
  removes: 'groups',
  memory: 'two numbers for each feature',
  settings: {
    biasCompensation: z
      .boolean()
      .default(true)
      .describe('flap: keep what removed groups give on average as biases (Llama, SmolLM3, ViT and DeiT)'),
  },
  bytes: (_, facts) => statisticsBytes(facts),
  operations: (_, facts) => perChoice(facts, calibrationForward(facts)),
  addsBiases: ({ biasCompensation }) => biasCompensation,
  contradiction: ({ biasCompensation }, { family, takesBiases }) =>
    biasCompensation && !takesBiases
      ? {
          setting: 'biasCompensation',
          message: `a ${family} checkpoint has no place for the biases: use --no-bias-compensation`,
        }
      : null,
})
