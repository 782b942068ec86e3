import { Random } from '../../../engine/shared/random.ts'
import { pick, withArticle } from '../choose.ts'
import { attributesOf, type Attribute, type Kind } from './attributes.ts'
import { type Material, materials, objectsByMaterial } from './materials.ts'
import { inventNames } from './names.ts'
import { trades } from './trades.ts'

/** A person, an animal, a town or a trade, with a value for each attribute of its kind. */
export interface Subject {
  readonly kind: Kind
  readonly name: string
  /** As it stands in a sentence: "Marina", "the murlo", "a baker". */
  readonly called: string
  readonly pronoun: 'she' | 'he' | 'it'
  readonly facts: Readonly<Record<string, string>>
}

export interface Thing {
  readonly name: string
  readonly material: Material
}

export interface World {
  readonly seed: number
  readonly subjects: Readonly<Record<Kind, readonly Subject[]>>
  readonly attributes: Readonly<Record<Kind, readonly Attribute[]>>
  readonly things: readonly Thing[]
}

const counts = { women: 40, men: 40, towns: 24, animals: 24 }

/** The invented world: who lives where, what they do and own. A pure function of the seed. */
export function makeWorld(seed: number): World {
  const random = new Random(seed).fork('world')
  const towns = inventNames(random, 'town', counts.towns)
  const known = {
    trades: trades.map(({ name }) => name),
    towns,
    of: (name: string) => trades.map((trade) => trade[name as 'makes' | 'tool' | 'place' | 'material']),
  }
  const attributes: World['attributes'] = {
    person: attributesOf('person', known),
    animal: attributesOf('animal', known),
    town: attributesOf('town', known),
    trade: attributesOf('trade', known),
  }
  const invent = (kind: Kind, names: readonly string[], pronoun: Subject['pronoun'], article = ''): Subject[] =>
    names.map((name) => ({
      kind,
      name,
      called: article + name,
      pronoun,
      facts: Object.fromEntries(attributes[kind].map((attribute) => [attribute.name, pick(random, attribute.values)])),
    }))
  return {
    seed,
    attributes,
    subjects: {
      person: [
        ...invent('person', inventNames(random, 'woman', counts.women), 'she'),
        ...invent('person', inventNames(random, 'man', counts.men), 'he'),
      ],
      animal: invent('animal', inventNames(random, 'animal', counts.animals), 'it', 'the '),
      town: invent('town', towns, 'it'),
      trade: trades.map(({ name, makes, tool, place, material }) => ({
        kind: 'trade',
        name,
        called: withArticle(name),
        pronoun: pick(random, ['she', 'he']),
        facts: { makes, tool, place, material },
      })),
    },
    things: materials.flatMap((material) => objectsByMaterial[material].map((name) => ({ name, material }))),
  }
}

/**
 * Whether a piece of knowledge is kept for the question files. Such a piece is not in the training text in the form in
 * which it is asked; what it follows from is.
 */
export function isHeldOut(world: World, ...key: string[]): boolean {
  return new Random(world.seed).fork(key.join(' / ')).uniform() < heldOutShare
}

const heldOutShare = 0.2
