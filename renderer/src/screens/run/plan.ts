import { engine, type RunDetail } from '../../../../electron/contract/index.ts'
import { bytes, count, decimals, none, number, percent } from '../../format.ts'

/** Whether a run has scores of heads and channels to plan from. */
export const hasScores = ({ job }: Pick<RunDetail, 'job'>, pruningSteps: readonly number[]): boolean =>
  job.kind === 'prune' && engine.criteria[job.criterion].removes === 'groups' && pruningSteps.length > 0

/** Places of the slider: half a percent each. */
export const sliderStep = 0.005

/** The budget of a place, as `prune --budget` has it: of a time, how many times as fast, and no faster than the share is. */
export const budgetAt = (measure: engine.BudgetMeasure, share: number): string =>
  engine.isTime(measure)
    ? `${measure}=${Math.floor(1000 / share + 1e-9) / 1000}x`
    : `${measure}=${Number(share.toFixed(4))}`

/** A budget as people read it: "80% of the parameters". */
export function budgetText(budget: string): string {
  const { measure, unit, value } = engine.parseBudget(budget)
  const of = { parameters: 'parameters', memory: 'bytes', prompt: 'prompt', generation: 'generation' }[measure]
  if (unit === 'share') return `${percent(value, 1)} of the ${of}`
  if (unit === 'times') return `${of} ${number(value)}× as fast`
  return `${of} ${engine.amountText(measure, value)}`
}

/** The least share that a budget may say, on a place of the slider. */
export function leastShare({ ranges }: Pick<engine.PlanResult, 'ranges'>, measure: engine.BudgetMeasure): number {
  const range = ranges[measure]
  if (!range) return sliderStep
  let place = Math.max(1, Math.floor(range.least / range.most / sliderStep))
  // As `budgetAt` says it: what is a hair below the least is refused.
  while (Number((place * sliderStep).toFixed(4)) * range.most < range.least) place += 1
  return place * sliderStep
}

/** What stands of a plan beside others: a row each, in the order of `planRows`. */
export const planRows = [
  'Parameters',
  'Weights',
  'Multiply-adds a token',
  'Time of a prompt',
  'Time of a generated token',
  'Importance kept',
  'Loss increase',
  'Whole layers removed',
] as const

export function planCells(plan: engine.BudgetPlan, { dense }: Pick<engine.PlanResult, 'dense'>): string[] {
  const { parameters, bytes: size, speedUp, times, kept, loss, layers } = plan
  return [
    `${count(parameters)} (${percent(parameters / dense.parameters, 1)})`,
    bytes(size),
    percent(1 / speedUp, 1),
    timeText(times?.prompt, dense.times?.prompt),
    timeText(times?.generation, dense.times?.generation),
    percent(kept, 1),
    loss === null ? none : `+${decimals(loss.rise, 3)} ± ${decimals(loss.error, 3)}${loss.isBeyond ? ' *' : ''}`,
    count(layers.filter((layer) => layer === null).length),
  ]
}

export const denseCells = ({ dense }: Pick<engine.PlanResult, 'dense'>): string[] => [
  count(dense.parameters),
  bytes(dense.bytes),
  percent(1, 1),
  timeText(dense.times?.prompt),
  timeText(dense.times?.generation),
  percent(1, 1),
  none,
  count(0),
]

/** Milliseconds, and how many times as fast that is. */
function timeText(time: number | undefined, dense?: number): string {
  if (time === undefined) return none
  const text = `${number(time, 3)} ms`
  return dense === undefined ? text : `${text} (${decimals(dense / time, 2)}x)`
}
