import { describeCriterion } from './criterion.ts'
import { calibrationForward, onlyAtOnce, perChoice, statisticsBytes } from './shared.ts'

const name = 'wanda-unstructured'

export const wandaUnstructured = describeCriterion({
  name,
  title: 'Wanda, single weights',
  sentence: 'Sets weights that count least with their activations to zero, for comparison: the file does not shrink.',
  needs: 'activations',
  ranking: 'local',
  removes: 'weights',
  memory: 'two numbers for each feature, and one matrix at a time while it is sorted',
  settings: {},
  bytes: (_, facts) => statisticsBytes(facts),
  operations: (_, facts) => perChoice(facts, calibrationForward(facts)),
  contradiction: (job) => onlyAtOnce(name, job),
})
