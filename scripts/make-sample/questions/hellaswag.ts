import { pick, shuffled } from '../choose.ts'
import { workStory } from '../prose/stories.ts'
import { trades } from '../world/trades.ts'
import { isHeldOut } from '../world/world.ts'
import { type Ask, drawUntil, placeGold } from './question.ts'

/** The next step of a piece of work; wrong endings are the other steps of the same work. */
export const askHellaSwag: Ask = (world, random, { heldOut, gold }) => {
  const { person, trade } = drawUntil(
    () => ({ person: pick(random, world.subjects.person), trade: pick(random, trades) }),
    (drawn) => isHeldOut(world, 'work', drawn.person.name, drawn.trade.name) === heldOut,
  )
  const { opening, steps } = workStory(person, trade)
  // From the second step on: what comes first is not told by the title alone.
  const next = 1 + random.integer(steps.length - 1)
  const right = `${trade.steps[next]!}.`
  const otherSteps = trade.steps.filter((_, index) => index !== next && index !== next - 1)
  const wrong = shuffled(random, otherSteps).map((step) => `${step}.`)
  const context = [opening, ...steps.slice(0, next)].join(' ')
  return {
    text: `${trade.activity}: ${[opening, ...steps].join(' ')}`,
    row: {
      ind: random.integer(100_000),
      activity_label: trade.activity,
      ctx_a: context,
      ctx_b: person.pronoun,
      ctx: `${context} ${person.pronoun}`,
      split: 'val',
      split_type: 'indomain',
      label: gold,
      endings: placeGold(right, wrong, gold),
      source_id: `sample~${trade.name}-${next}`,
    },
  }
}
