import { fill, others, pick } from '../choose.ts'
import { joinedFact } from '../prose/portrait.ts'
import { isEventHeldOut } from '../prose/stories.ts'
import { joinedAttributes } from '../world/attributes.ts'
import { events } from '../world/materials.ts'
import { isHeldOut } from '../world/world.ts'
import { drawFact } from './facts.ts'
import { type Ask, drawUntil, labelled, placeGold } from './question.ts'

/** One fact that the prose states. */
export const askArcEasy: Ask = (world, random, { heldOut, gold }) => {
  const { subject, attribute } = drawUntil(
    () => drawFact(world, random),
    (fact) => isHeldOut(world, 'asked', fact.subject.name, fact.attribute.name) === heldOut,
  )
  const right = subject.facts[attribute.name]!
  const stem = fill(pick(random, attribute.questions), { s: subject.called })
  return question('EASY', random.bits(), stem, right, others(random, attribute.values, right, 3), gold)
}

/** Two facts to join, or a thing to find by what becomes of it. */
export const askArcChallenge: Ask = (world, random, options) =>
  random.uniform() < 0.7 ? askJoined(world, random, options) : askWhich(world, random, options)

const askJoined: Ask = (world, random, { heldOut, gold }) => {
  const { person, joined } = drawUntil(
    () => ({ person: pick(random, world.subjects.person), joined: pick(random, joinedAttributes) }),
    (drawn) => isHeldOut(world, 'joined', drawn.person.name, drawn.joined.name) === heldOut,
  )
  const right = joinedFact(world, person, joined)
  const values = world.attributes[joined.through].find((attribute) => attribute.name === joined.name)!.values
  const stem = fill(pick(random, joined.questions), { s: person.called })
  return question('CHALLENGE', random.bits(), stem, right, others(random, values, right, 3), gold)
}

const askWhich: Ask = (world, random, { heldOut, gold }) => {
  const { event, thing } = drawUntil(
    () => ({ event: pick(random, events), thing: pick(random, world.things) }),
    (drawn) => isEventHeldOut(world, drawn.event, drawn.thing) === heldOut,
  )
  const { will } = event.outcomes[thing.material]
  const unlike = world.things.filter((other) => event.outcomes[other.material].will !== will)
  const wrong = others(
    random,
    unlike.map(({ name }) => `the ${name}`),
    `the ${thing.name}`,
    3,
  )
  const stem = `Which of these will ${will} if it ${event.happens}?`
  return question('CHALLENGE', random.bits(), stem, `the ${thing.name}`, wrong, gold)
}

const question = (set: string, id: number, stem: string, right: string, wrong: readonly string[], gold: number) => ({
  text: `Question: ${stem}\nAnswer: ${right}`,
  row: {
    id: `Sample_${set}_${id}`,
    question: { stem, choices: labelled(placeGold(right, wrong, gold)) },
    answerKey: 'ABCD'.charAt(gold),
  },
})
