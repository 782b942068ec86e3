import type { Case } from './case.ts'
import { families, ragged } from './cases-families.ts'
import { demo, reading, sweeps, training } from './cases-others.ts'
import { criteria, refused, resumed, variants } from './cases-pruning.ts'

/** Long ones first, so that none is left alone at the end. */
export const allCases: readonly Case[] = [
  demo,
  ragged,
  ...families,
  ...sweeps,
  ...training,
  ...reading,
  ...criteria,
  ...variants,
  ...resumed,
  refused,
]
