import { describeCriterion } from './criterion.ts'

export const random = describeCriterion({
  name: 'random',
  title: 'Random',
  sentence: 'Draws what is removed by lot, from the seed: what any criterion must beat.',
  needs: 'nothing',
  ranking: 'local',
  removes: 'groups',
  memory: 'none',
  settings: {},
  bytes: () => 0,
  operations: () => 0,
})
