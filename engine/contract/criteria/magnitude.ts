import { z } from 'zod'
import { describeCriterion } from './criterion.ts'
import { groupSettings, perChoice } from './shared.ts'

export const magnitude = describeCriterion({
  name: 'magnitude',
  title: 'Magnitude',
  sentence: 'Takes groups of small weights to be unimportant.',
  needs: 'weights',
  ranking: 'local',
  removes: 'groups',
  memory: 'none',
  settings: {
    ...groupSettings,
    magnitudeNorm: z
      .enum(['l1', 'l2'])
      .default('l1')
      .describe('magnitude: sum of absolute values, or root of the sum of squares'),
    magnitudeWeights: z
      .enum(['merged', 'base'])
      .default('merged')
      .describe('magnitude: of the weights with the adapter or without'),
  },
  bytes: () => 0,
  operations: (_, facts) => perChoice(facts),
})
