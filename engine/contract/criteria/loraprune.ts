import { z } from 'zod'
import { describeCriterion } from './criterion.ts'
import { adapterGradientOperations, groupSettings } from './shared.ts'

export const loraprune = describeCriterion({
  name: 'loraprune',
  title: 'LoRAPrune',
  sentence: "Estimates every weight's effect on the loss from the gradients of the adapter, averaged over the steps.",
  needs: 'adapter gradients',
  ranking: 'local',
  removes: 'groups',
  memory: 'a number for each group',
  settings: {
    lambda: z.number().min(0).lt(1).default(0.9).describe('moving average of importance'),
    power: z
      .union([z.literal(1), z.literal(2)])
      .default(1)
      .describe('1: absolute value (the published code); 2: square'),
    ...groupSettings,
  },
  bytes: () => 0,
  operations: (_, facts) => adapterGradientOperations(facts),
})
