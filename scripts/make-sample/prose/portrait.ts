import type { Random } from '../../../engine/shared/random.ts'
import { capitalised, fill, pick, shuffled } from '../choose.ts'
import { joinedAttributes, type Attribute } from '../world/attributes.ts'
import { isHeldOut, type Subject, type World } from '../world/world.ts'

/** Sentences about one person, animal, town or trade: its facts in some order, with a pronoun after the first sentence. */
export function portrait(world: World, random: Random, subject: Subject, attributes: readonly Attribute[]): string {
  const sentences = shuffled(random, attributes).map((attribute, index) =>
    sentence(random, subject, index === 0, pick(random, attribute.statements), subject.facts[attribute.name]!),
  )
  if (subject.kind === 'person') {
    for (const joined of shuffled(random, joinedAttributes).slice(0, random.integer(3))) {
      if (isHeldOut(world, 'joined', subject.name, joined.name)) continue
      sentences.push(
        sentence(random, subject, false, pick(random, joined.statements), joinedFact(world, subject, joined)),
      )
    }
  }
  return sentences.join(' ')
}

/** What a person has through the trade or the town. */
export function joinedFact(
  world: World,
  person: Subject,
  { through, name }: { through: string; name: string },
): string {
  const between = world.subjects[through as 'trade' | 'town'].find((subject) => subject.name === person.facts[through])
  return between!.facts[name]!
}

function sentence(random: Random, subject: Subject, isFirst: boolean, statement: string, value: string): string {
  // The pronoun is a subject; in other places of a sentence the name stands.
  const mayReplace = /^\{S\}|^(On|When).*\{s\} \{v\}/.test(statement)
  const who = !isFirst && mayReplace && random.uniform() < 0.7 ? subject.pronoun : subject.called
  return fill(statement, { S: capitalised(who), s: who, v: value })
}
