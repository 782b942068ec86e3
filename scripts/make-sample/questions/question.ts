import type { Random } from '../../../engine/shared/random.ts'
import type { World } from '../world/world.ts'

/** A question as a scorer sees it, and as the official files of its task write it. */
export interface Question {
  /** Context and right answer, joined as the scorer joins them: what a model trains on. */
  readonly text: string
  readonly row: Readonly<Record<string, unknown>>
  /** A line of a label file, where the task keeps labels apart. */
  readonly label?: string
}

/**
 * Makes a question whose right answer stands at place `gold`. With `heldOut` the question is about knowledge that the
 * training text does not hold in this form; without, about knowledge that it may hold.
 */
export type Ask = (world: World, random: Random, options: { heldOut: boolean; gold: number }) => Question

/** Draws until a draw is wanted. */
export function drawUntil<Drawn>(draw: () => Drawn, isWanted: (drawn: Drawn) => boolean): Drawn {
  for (let tries = 0; tries < 10_000; tries++) {
    const drawn = draw()
    if (isWanted(drawn)) return drawn
  }
  throw new RangeError('no question of this sort can be made')
}

/** The wrong answers in order with the right one at place `gold`. */
export function placeGold(right: string, wrong: readonly string[], gold: number): string[] {
  return [...wrong.slice(0, gold), right, ...wrong.slice(gold)]
}

/** ARC's and OpenBookQA's form of choices. */
export function labelled(choices: readonly string[]) {
  return choices.map((text, index) => ({ text, label: 'ABCD'.charAt(index) }))
}
