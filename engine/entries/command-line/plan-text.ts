import {
  type Budget,
  type BudgetMeasure,
  budgetMeasure,
  type BudgetPlan,
  isTime,
  type Layer,
  type PlanResult,
} from '../../contract/index.ts'
import { boundsOf } from '../../pruning/budget/bounds.ts'
import { sizeText } from '../../shared/size-text.ts'
import { numberText, percentText } from '../../shared/number-text.ts'
import { aligned } from './aligned.ts'

/** A plan as a table: a column for each budget, the dense model first; what they come to, and every layer. */
export function describePlan({ dense, plans, quality, ranges }: PlanResult): string {
  const row = (name: string, ofDense: string, of: (plan: BudgetPlan) => string) => [name, ofDense, ...plans.map(of)]
  const rows = [
    ['', 'dense', ...plans.map(({ budget }) => budget)],
    row('parameters', numberText(dense.parameters), ({ parameters }) => numberText(parameters)),
    row('', '', ({ parameters }) => percentText(parameters / dense.parameters)),
    row('weights', sizeText(dense.bytes), ({ bytes }) => sizeText(bytes)),
    row('multiply-adds', '', ({ speedUp }) => `1/${speedUp.toFixed(2)}`),
    ...(dense.times
      ? [
          row('prompt', `${dense.times.prompt.toFixed(1)} ms`, ({ times }) =>
            timeText(times?.prompt, dense.times!.prompt),
          ),
          row('a token', `${dense.times.generation.toFixed(2)} ms`, ({ times }) =>
            timeText(times?.generation, dense.times!.generation),
          ),
        ]
      : []),
    row('importance', '', ({ kept }) => percentText(kept)),
    ...(quality.isFitted
      ? [
          row('loss', '', ({ loss }) => (loss ? lossText(loss) : '')),
          row('perplexity', '', ({ loss }) => (loss ? `x ${Math.exp(loss.rise).toFixed(2)}` : '')),
        ]
      : []),
    ...dense.layers.map((layer, index) =>
      row(`layer ${index}`, shapeText(layer), ({ layers }) => shapeText(layers[index] ?? null)),
    ),
  ]
  return [
    ...aligned(rows),
    `quality: ${quality.detail}${plans.some(({ loss }) => loss?.isBeyond) ? ' * more importance is lost than in the run.' : ''}`,
    rangesText(ranges),
  ].join('\n')
}

const unitsOf = (measure: BudgetMeasure): Budget['unit'][] => [isTime(measure) ? 'times' : 'share', 'amount']

/** What a job may be given as its budget: shares, and amounts of what is counted or was measured. */
function rangesText(ranges: PlanResult['ranges']): string {
  const all = budgetMeasure.options.flatMap((measure) => {
    const range = ranges[measure]
    if (!range) return []
    return unitsOf(measure).flatMap(
      (unit) => boundsOf({ measure, unit }, { before: range.most, least: range.least }) ?? [],
    )
  })
  if (all.length === 0) return 'budgets that can be met: none, since nothing can leave'
  return `budgets that can be met: ${all.map(({ least, most }) => `${least} to ${most}`).join(', ')}`
}

/** The rise of the loss, with its standard error. */
const lossText = ({ rise, error, isBeyond }: NonNullable<BudgetPlan['loss']>): string =>
  `+${rise.toFixed(3)} ± ${error.toFixed(3)}${isBeyond ? beyond : ''}`

/** Marks a loss for which the run has no like. */
const beyond = ' *'

const timeText = (time: number | undefined, dense: number): string =>
  time === undefined ? '' : `${time.toFixed(2)} ms (${(dense / time).toFixed(2)}x)`

const shapeText = (layer: Layer | null): string =>
  layer === null ? 'leaves' : `${layer.heads} heads, ${numberText(layer.channels)} channels`
