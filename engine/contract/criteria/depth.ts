import { describeCriterion } from './criterion.ts'
import { calibrationForward, perChoice, statisticsBytes } from './shared.ts'

export const depth = describeCriterion({
  name: 'depth',
  title: 'Depth (block similarity)',
  sentence: 'Removes whole layers whose output is most like their input.',
  needs: 'activations',
  ranking: 'local',
  removes: 'layers',
  memory: 'none',
  settings: {},
  bytes: (_, facts) => statisticsBytes(facts),
  operations: (_, facts) => perChoice(facts, calibrationForward(facts)),
  contradiction: (_, { hasOutputBiases }) =>
    hasOutputBiases
      ? {
          setting: 'criterion',
          message: 'layers of this checkpoint have biases, so that none can be masked away: use another',
        }
      : null,
})
