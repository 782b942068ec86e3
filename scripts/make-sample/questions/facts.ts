import type { Random } from '../../../engine/shared/random.ts'
import { pick } from '../choose.ts'
import type { Attribute, Kind } from '../world/attributes.ts'
import type { Subject, World } from '../world/world.ts'

/** A random fact of the world; people, of whom there are most facts, come up most often. */
export function drawFact(world: World, random: Random): { subject: Subject; attribute: Attribute } {
  const kind = pick<Kind>(random, ['person', 'person', 'person', 'animal', 'town', 'trade'])
  return { subject: pick(random, world.subjects[kind]), attribute: pick(random, world.attributes[kind]) }
}
