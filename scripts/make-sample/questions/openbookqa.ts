import { pick, shuffled, withArticle } from '../choose.ts'
import { isEventHeldOut } from '../prose/stories.ts'
import { events } from '../world/materials.ts'
import { type Ask, drawUntil, labelled, placeGold } from './question.ts'

/** What becomes of a thing: an unfinished sentence. */
export const askOpenBookQa: Ask = (world, random, { heldOut, gold }) => {
  const { event, thing } = drawUntil(
    () => ({ event: pick(random, events), thing: pick(random, world.things) }),
    (drawn) => isEventHeldOut(world, drawn.event, drawn.thing) === heldOut,
  )
  const right = event.outcomes[thing.material].will
  // First what the same event does to other things; it has not always three other outcomes.
  const [same, rest] = [[event], events].map((from) =>
    shuffled(
      random,
      from.flatMap(({ outcomes }) => Object.values(outcomes).map(({ will }) => will)),
    ),
  )
  const wrong = [...new Set([...same!, ...rest!])].filter((will) => will !== right).slice(0, 3)
  const stem = pick(random, [
    `If the ${thing.name} ${event.happens}, it will`,
    `When the ${thing.name} ${event.happens}, you can expect it to`,
    `Everybody knows that ${withArticle(thing.name)} that ${event.happens} will`,
  ])
  return {
    text: `${stem} ${right}.`,
    row: {
      id: `sample-${random.bits()}`,
      question: { stem, choices: labelled(placeGold(right, wrong, gold)) },
      answerKey: 'ABCD'.charAt(gold),
    },
  }
}
