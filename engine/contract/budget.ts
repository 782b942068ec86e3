import { z } from 'zod'
import { sizeText } from '../shared/size-text.ts'
import { numberText } from '../shared/number-text.ts'

/** What a budget is spent in. */
export const budgetMeasure = z.enum(['parameters', 'memory', 'prompt', 'generation'])
export type BudgetMeasure = z.infer<typeof budgetMeasure>

/** What is measured on the device that computes. */
export const isTime = (measure: BudgetMeasure): measure is 'prompt' | 'generation' =>
  measure === 'prompt' || measure === 'generation'

/**
 * What may be kept at most: a share of what the checkpoint has, an amount (parameters, bytes of weights, milliseconds), or how
 * many times as fast it shall be.
 */
export interface Budget {
  measure: BudgetMeasure
  unit: 'share' | 'amount' | 'times'
  value: number
}

const time = { MS: 1, S: 1000 }
/** Factors of numbers of parameters, of bytes and of milliseconds, by their letters. */
const factors: Record<BudgetMeasure, Readonly<Record<string, number>>> = {
  parameters: { '': 1, K: 1e3, M: 1e6, B: 1e9 },
  memory: { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30 },
  prompt: time,
  generation: time,
}

const forms: Record<BudgetMeasure, string> = {
  parameters: 'a share that stays (parameters=0.7) or a number of them (parameters=90M)',
  memory: 'a share of the bytes that stays (memory=0.7) or a size (memory=4GB)',
  prompt: 'how many times as fast a prompt is read (prompt=1.5x) or its time (prompt=200ms)',
  generation: 'how many times as fast it generates (generation=1.5x) or the time of a token (generation=20ms)',
}

/** A number above this is no budget that anyone has. */
const most = 1e15

/**
 * What a budget's text says, such as `parameters=0.7` or `memory=4GB`.
 *
 * @throws RangeError that says what is wrong with it
 */
export function parseBudget(text: string): Budget {
  const [, name, rest] = /^\s*([a-z]+)\s*=\s*(.+?)\s*$/.exec(text) ?? []
  const measure = budgetMeasure.safeParse(name).data
  if (measure === undefined || rest === undefined)
    throw new RangeError(
      `is "${text}": a budget is one of ${budgetMeasure.options.map((each) => `${each}=...`).join(', ')}`,
    )
  const [, digits, letters = ''] = /^(\d+(?:\.\d+)?|\.\d+)\s*([a-zA-Z]*)$/.exec(rest) ?? []
  const value = Number(digits)
  if (isTime(measure) && letters.toLowerCase() === 'x' && value > 0 && value < most)
    return { measure, unit: 'times', value }
  if (!isTime(measure) && letters === '' && value > 0 && value < 1) return { measure, unit: 'share', value }
  const factor = factors[measure][letters.toUpperCase()]
  if (factor === undefined || !(value > 0) || value * factor > most)
    throw new RangeError(`has "${rest}" for ${measure}: say ${forms[measure]}`)
  return { measure, unit: 'amount', value: value * factor }
}

/** The setting `budget` of a job: a text that `parseBudget` takes. */
export const budgetText = z.string().superRefine((text, context) => {
  try {
    parseBudget(text)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    context.addIssue({ code: 'custom', message: error.message })
  }
})

/** A budget as it is spent: what the checkpoint costs, what may be kept at most, and what is kept. */
export const budgetSpentSchema = z.object({
  measure: budgetMeasure,
  /** Parameters, bytes, or milliseconds. */
  before: z.number(),
  planned: z.number(),
  actual: z.number(),
})
export type BudgetSpent = z.infer<typeof budgetSpentSchema>

/** An amount of what a budget is spent in. */
export function amountText(measure: BudgetMeasure, value: number): string {
  if (measure === 'parameters') return `${numberText(Math.round(value))} parameters`
  if (measure === 'memory') return sizeText(value)
  const places = value < 10 ? 2 : value < 100 ? 1 : 0
  return `${value.toFixed(places)} ms ${measure === 'prompt' ? 'a prompt' : 'a token'}`
}
