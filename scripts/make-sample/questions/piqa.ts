import { fill, others, pick } from '../choose.ts'
import { cares, materials } from '../world/materials.ts'
import { isHeldOut } from '../world/world.ts'
import { type Ask, drawUntil, placeGold } from './question.ts'

/** How to look after a thing: the way that suits what it is made of, or one for another material. */
export const askPiqa: Ask = (world, random, { heldOut, gold }) => {
  const { care, thing } = drawUntil(
    () => ({ care: pick(random, cares), thing: pick(random, world.things) }),
    (drawn) => isHeldOut(world, 'care', drawn.care.name, drawn.thing.name) === heldOut,
  )
  const wayFor = (material: typeof thing.material) => fill(care.ways[material], { x: thing.name })
  const right = wayFor(thing.material)
  const wrong = wayFor(others(random, materials, thing.material, 1)[0]!)
  const aim = fill(care.goal, { x: thing.name })
  const goal = pick(random, [`How do you ${aim}?`, `What is the best way to ${aim}?`, `to ${aim}`])
  const [sol1, sol2] = placeGold(right, [wrong], gold)
  return { text: `Question: ${goal}\nAnswer: ${right}`, row: { goal, sol1, sol2 }, label: String(gold) }
}
