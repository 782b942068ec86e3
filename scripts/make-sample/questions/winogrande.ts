import { pick } from '../choose.ts'
import { castRole, isEventHeldOut, tellRole } from '../prose/stories.ts'
import { events } from '../world/materials.ts'
import { roles } from '../world/roles.ts'
import { isHeldOut } from '../world/world.ts'
import { type Ask, drawUntil, placeGold } from './question.ts'

/** Which of two is meant: things by what they are made of, people by what was done. `gold`: 0 or 1. */
export const askWinoGrande: Ask = (world, random, options) =>
  random.uniform() < 0.5 ? askThings(world, random, options) : askPeople(world, random, options)

const askThings: Ask = (world, random, { heldOut, gold }) => {
  const { event, right, wrong } = drawUntil(
    () => ({ event: pick(random, events), right: pick(random, world.things), wrong: pick(random, world.things) }),
    (drawn) =>
      isEventHeldOut(world, drawn.event, drawn.right) === heldOut &&
      (heldOut || !isEventHeldOut(world, drawn.event, drawn.wrong)) &&
      drawn.event.outcomes[drawn.right.material] !== drawn.event.outcomes[drawn.wrong.material],
  )
  const [option1, option2] = placeGold(right.name, [wrong.name], gold)
  const sentence = `The ${option1!} and the ${option2!} ${event.happened}, and the _ ${event.outcomes[right.material].did}.`
  return {
    text: sentence.replace('_', right.name),
    row: { qID: qualifiedId(random.bits(), gold), sentence, option1, option2, answer: String(gold + 1) },
  }
}

const askPeople: Ask = (world, random, { heldOut, gold }) => {
  const told = drawUntil(
    () => castRole(world, random, pick(random, roles)),
    (drawn) => isHeldOut(world, 'role', drawn.first, drawn.second) === heldOut,
  )
  const about = gold === 0 ? 'first' : 'second'
  return {
    text: tellRole(told, about),
    row: {
      qID: qualifiedId(random.bits(), gold),
      sentence: `${told.happened} _ ${told.about[about]}`,
      option1: told.first,
      option2: told.second,
      answer: String(gold + 1),
    },
  }
}

/** An id in WinoGrande's manner: the twins of a pair end in 1 and 2. */
const qualifiedId = (bits: number, gold: number) =>
  `SAMPLE${bits.toString(36).toUpperCase().padStart(7, '0')}-${gold + 1}`
