import { describeCriterion } from './criterion.ts'
import { onlyAtOnce, perChoice } from './shared.ts'

const name = 'magnitude-unstructured'

export const magnitudeUnstructured = describeCriterion({
  name,
  title: 'Magnitude, single weights',
  sentence:
    'Sets the smallest weights to zero, for comparison: the file does not shrink, and an adapter fills them again.',
  needs: 'weights',
  ranking: 'local',
  removes: 'weights',
  memory: 'the weights once more while they are sorted, one matrix at a time',
  settings: {},
  bytes: () => 0,
  operations: (_, facts) => perChoice(facts),
  contradiction: (job) => onlyAtOnce(name, job),
})
