import { decimals } from './format.ts'

/** The paired test of answers that changed, as every table and sentence names it. */
export const mcnemar = {
  name: "McNemar's exact test",
  meaning: 'How likely so uneven a change is where neither of the two is better',
} as const

/** A probability as people read it: very small ones are not written out. */
export const pText = (p: number, equals = ''): string => (p < 0.001 ? '< 0.001' : `${equals}${decimals(p, 3)}`)
