import {
  amountText,
  type BudgetSpent,
  type EngineEvent,
  type Estimate,
  type Removal,
  type StepMetrics,
} from '../../contract/index.ts'
import { sizeText } from '../../shared/size-text.ts'
import { numberText } from '../../shared/number-text.ts'

/** Numbers, times and events as lines for a person. */
export const duration = (seconds: number) => {
  const whole = Math.round(seconds)
  return whole < 60
    ? `${whole} s`
    : whole < 3600
      ? `${Math.floor(whole / 60)} min ${whole % 60} s`
      : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

export function sizesOf({ parameters, memoryBytes, diskBytes }: Estimate): string {
  const change = parameters.after === parameters.before ? '' : ` -> ${numberText(parameters.after)}`
  const disk = diskBytes > 0 ? `, ${sizeText(diskBytes)} of disk` : ''
  return `${numberText(parameters.before)}${change} parameters; about ${sizeText(memoryBytes)} of memory${disk}`
}

export const lossText = (loss: number | null): string => loss?.toFixed(4) ?? 'not a number'

export const validatedText = ({ step, loss, top1, best }: Extract<EngineEvent, { type: 'validated' }>): string =>
  `validation loss after step ${numberText(step)}: ${lossText(loss)}${best ? ', the least so far' : ''}${top1Text(top1)}`

/** How many images are told right, where it was measured. */
export const top1Text = (top1: number | undefined): string =>
  top1 === undefined ? '' : `; top-1 ${(100 * top1).toFixed(2)}%`

/** What leaves, of each kind: what does, and what was asked for. */
export function removalText(removal: Removal): string {
  const parts = (['heads', 'channels', 'parameters'] as const).map((name) => sharePart(name, removal[name]))
  return `removed: ${parts.join(', ')}${removal.budget ? `; ${budgetSpentText(removal.budget)}` : ''}`
}

/** A budget, and what is kept of it. */
const budgetSpentText = ({ measure, before, planned, actual }: BudgetSpent): string =>
  `budget: ${amountText(measure, actual)} kept (planned ${amountText(measure, planned)}) of ${amountText(measure, before)}`

export const sharePart = (name: string, { planned, actual }: { planned: number; actual: number }): string =>
  `${name} ${(100 * actual).toFixed(1)}% (planned ${(100 * planned).toFixed(1)}%)`

/** An image of a large model takes seconds: there are digits behind the point where there are few a second. */
export const imagesText = (rate: number): string =>
  `${numberText(rate < 100 ? Number(rate.toPrecision(3)) : Math.round(rate))} images/s`

export function stepText(
  { metrics: { loss, sparsity }, tokensPerSecond, imagesPerSecond }: Extract<EngineEvent, { type: 'step' }>,
  removal: Removal | undefined,
): string {
  const pruned = sparsity ? ` ${sparsityText(sparsity, removal)}` : ''
  const speed =
    imagesPerSecond === undefined ? `${numberText(Math.round(tokensPerSecond))} tokens/s` : imagesText(imagesPerSecond)
  return `loss ${lossText(loss)}${pruned} ${speed}`
}

function sparsityText(sparsity: NonNullable<StepMetrics['sparsity']>, removal: Removal | undefined): string {
  const { planned, heads, channels, parameters } = sparsity
  // A kind that the job keeps whole has nothing planned.
  const ofKind = (name: 'heads' | 'channels', actual: number) =>
    sharePart(name, { planned: removal?.[name].planned === 0 ? 0 : planned, actual })
  const parts = [ofKind('heads', heads), ofKind('channels', channels)]
  if (parameters) parts.push(sharePart('parameters', parameters))
  return parts.join(', ')
}
