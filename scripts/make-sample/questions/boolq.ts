import type { Random } from '../../../engine/shared/random.ts'
import { fill, others, pick, shuffled } from '../choose.ts'
import { portrait } from '../prose/portrait.ts'
import { isEventHeldOut } from '../prose/stories.ts'
import { events } from '../world/materials.ts'
import type { Attribute } from '../world/attributes.ts'
import { isHeldOut, type Subject, type World } from '../world/world.ts'
import { type Ask, drawUntil } from './question.ts'
import { drawFact } from './facts.ts'

/** Yes or no after a short passage: about what it says, or about what follows from it. `gold`: 0 no, 1 yes. */
export const askBoolQ: Ask = (world, random, options) =>
  random.uniform() < 0.8 ? askFact(world, random, options) : askEvent(world, random, options)

const askFact: Ask = (world, random, { heldOut, gold }) => {
  const { subject, attribute } = drawUntil(
    () => drawFact(world, random),
    (fact) => isHeldOut(world, 'asked', fact.subject.name, fact.attribute.name) === heldOut,
  )
  const rest = shuffled(random, world.attributes[subject.kind]).filter((other) => other !== attribute)
  const passage = portrait(world, random, subject, [attribute, ...rest.slice(0, 1 + random.integer(2))])
  return question(passage, factQuestion(random, subject, attribute, gold), gold)
}

function factQuestion(random: Random, subject: Subject, attribute: Attribute, gold: number): string {
  const value = subject.facts[attribute.name]!
  const asked = gold === 1 ? value : others(random, attribute.values, value, 1)[0]!
  return fill(attribute.asks, { s: subject.called, v: asked })
}

/**
 * A passage for training that is asked several questions: an answer of one word teaches little for its length, so the
 * passage is made use of more than once.
 */
export function boolqSeries(world: World, random: Random): string {
  const { subject } = drawFact(world, random)
  const told = shuffled(random, world.attributes[subject.kind]).slice(0, 4)
  const asked = told.filter((attribute) => !isHeldOut(world, 'asked', subject.name, attribute.name))
  const answered = shuffled(random, [...asked, ...asked])
    .slice(0, 5)
    .map((attribute) => {
      const gold = random.integer(2)
      return questionAndAnswer(factQuestion(random, subject, attribute, gold), gold)
    })
  return [portrait(world, random, subject, told), ...answered].join('\n')
}

const askEvent: Ask = (world, random, { heldOut, gold }) => {
  const { event, thing } = drawUntil(
    () => ({ event: pick(random, events), thing: pick(random, world.things) }),
    (drawn) => isEventHeldOut(world, drawn.event, drawn.thing) === heldOut,
  )
  const { will } = event.outcomes[thing.material]
  const outcomes = Object.values(event.outcomes).map((outcome) => outcome.will)
  const asked = gold === 1 ? will : others(random, outcomes, will, 1)[0]!
  const owner = pick(random, world.subjects.person).name
  const passage = `The ${thing.name} of ${owner} is made of ${thing.material}.`
  return question(passage, `will the ${thing.name} ${asked} if it ${event.happens}`, gold)
}

const question = (passage: string, asked: string, gold: number) => ({
  text: `${passage}\n${questionAndAnswer(asked, gold)}`,
  row: { question: asked, answer: gold === 1, passage },
})

const questionAndAnswer = (asked: string, gold: number) => `Question: ${asked}?\nAnswer: ${gold === 1 ? 'yes' : 'no'}`
