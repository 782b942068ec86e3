import type { Random } from '../../../engine/shared/random.ts'
import { capitalised, fill, others, pick, shuffled, withArticle } from '../choose.ts'
import { events, cares, type Event } from '../world/materials.ts'
import { roles, type Role } from '../world/roles.ts'
import { trades, type Trade } from '../world/trades.ts'
import { isHeldOut, type Subject, type Thing, type World } from '../world/world.ts'

export const isEventHeldOut = (world: World, event: Event, thing: Thing) =>
  isHeldOut(world, 'event', event.name, thing.name)

/** What a thing is made of and what becomes of it. */
export function aboutThing(world: World, random: Random): string {
  const thing = pick(random, world.things)
  const told = shuffled(random, events)
    .filter((event) => !isEventHeldOut(world, event, thing))
    .slice(0, 2)
    .map((event) => `If the ${thing.name} ${event.happens}, it will ${event.outcomes[thing.material].will}.`)
  return [`${pick(random, ['The', 'This', 'A good'])} ${thing.name} is made of ${thing.material}.`, ...told].join(' ')
}

/** Two or three things meet with the same event. */
export function accident(world: World, random: Random): string {
  const event = pick(random, events)
  const [first, second] = shuffled(
    random,
    world.things.filter((thing) => !isEventHeldOut(world, event, thing)),
  )
  const person = pick(random, world.subjects.person)
  const told = [first!, second!].map(({ name, material }) => `The ${name} ${event.outcomes[material].did}.`)
  return [
    `The ${first!.name} and the ${second!.name} of ${person.name} ${event.happened}.`,
    ...told,
    pick(random, [`${person.name} was not surprised.`, `"I told you so," said ${person.name}.`, 'Nobody had seen it.']),
  ].join(' ')
}

/** How somebody looks after a thing. */
export function careOf(world: World, random: Random): string {
  const [care, thing] = [pick(random, cares), pick(random, world.things)]
  if (isHeldOut(world, 'care', care.name, thing.name)) return careOf(world, random)
  const person = pick(random, world.subjects.person)
  const goal = fill(care.goal, { x: thing.name }).replace('your name', 'a name')
  return `${person.name} asked how to ${goal}. "${fill(care.ways[thing.material], { x: thing.name })}"`
}

/** The opening of a story of work and the sentences of its steps. */
export function workStory(person: Subject, trade: Trade): { opening: string; steps: string[] } {
  return {
    opening: `${person.name} is busy in the ${trade.place}.`,
    steps: trade.steps.map((step) => `${capitalised(person.pronoun)} ${step}.`),
  }
}

/** A whole piece of work, step by step, under its title. */
export function work(world: World, random: Random): string {
  const [person, trade] = [pick(random, world.subjects.person), pick(random, trades)]
  if (isHeldOut(world, 'work', person.name, trade.name)) return work(world, random)
  const { opening, steps } = workStory(person, trade)
  return `${trade.activity}: ${[opening, ...steps].join(' ')}`
}

/** What one person did to another, and why. */
export function deed(world: World, random: Random): string {
  const role = pick(random, roles)
  const told = castRole(world, random, role)
  if (isHeldOut(world, 'role', told.first, told.second)) return deed(world, random)
  return tellRole(told, random.uniform() < 0.5 ? 'first' : 'second')
}

export interface CastRole {
  readonly first: string
  readonly second: string
  readonly happened: string
  readonly about: Readonly<Record<'first' | 'second', string>>
}

/** A role with people and a thing in it. */
export function castRole(world: World, random: Random, role: Role): CastRole {
  const first = pick(random, world.subjects.person).name
  const [second] = others(
    random,
    world.subjects.person.map(({ name }) => name),
    first,
    1,
  )
  const values = { a: first, b: second!, x: pick(random, world.things).name }
  return {
    first,
    second: second!,
    happened: fill(role.happened, values),
    about: { first: fill(role.aboutFirst, values), second: fill(role.aboutSecond, values) },
  }
}

export const tellRole = (told: CastRole, about: 'first' | 'second') =>
  `${told.happened} ${told[about]} ${told.about[about]}`

/** A walk through the facts of a day: people of one town meet. */
export function meeting(world: World, random: Random): string {
  const [first, second] = shuffled(random, world.subjects.person)
  const verb = pick(random, ['met', 'wrote to', 'waved to', 'sat beside', 'waited for'])
  return (
    `${introduce(first!)} ${verb} ${introduce(second!)} and brought ${second!.facts['food']!}. ` +
    `${second!.name} likes it best.`
  )
}

const introduce = (person: Subject) =>
  `${person.name}, ${withArticle(person.facts['trade']!)} from ${person.facts['town']!},`
