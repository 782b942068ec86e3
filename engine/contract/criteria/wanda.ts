import { describeCriterion } from './criterion.ts'
import { calibrationForward, groupSettings, perChoice, statisticsBytes } from './shared.ts'

export const wanda = describeCriterion({
  name: 'wanda',
  title: 'Wanda',
  sentence: 'Weighs each weight by the size of the activations that reach it on calibration text.',
  needs: 'activations',
  ranking: 'local',
  removes: 'groups',
  memory: 'two numbers for each feature',
  settings: groupSettings,
  bytes: (_, facts) => statisticsBytes(facts),
  operations: (_, facts) => perChoice(facts, calibrationForward(facts)),
})
