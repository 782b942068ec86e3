import type { Random } from '../../engine/shared/random.ts'
import type { Shape } from './shapes.ts'

/** Height and width of an image in pixels. */
export const side = 32

/** Each pixel is the mean of so many points a side. */
const points = 3
/** Colours are in steps of so much, so that noise does not fill the repository. */
const step = 8

type Colour = readonly [number, number, number]

const between = (random: Random, low: number, high: number) => low + (high - low) * random.uniform()
const colour = (random: Random): Colour => [255 * random.uniform(), 255 * random.uniform(), 255 * random.uniform()]
const brightness = ([red, green, blue]: Colour) => 0.3 * red + 0.6 * green + 0.1 * blue

/** A background and a colour of the figure that differ in brightness, either of them the brighter one. */
function colours(random: Random): [Colour, Colour] {
  for (;;) {
    const pair: [Colour, Colour] = [colour(random), colour(random)]
    if (Math.abs(brightness(pair[0]) - brightness(pair[1])) > 45) return pair
  }
}

/**
 * An image of a shape, about in the middle, of some size and colour, a little turned and stretched, on a background that is not even,
 * with specks, under noise.
 *
 * @returns [side, side, 3], 8 bits
 */
export function draw(shape: Shape, random: Random): Uint8Array {
  const figure = shape.make(random)
  const [ground, ink] = colours(random)
  const fade = [between(random, -50, 50), between(random, -50, 50)] as const
  const size = between(random, 0.28, 0.42) * side
  const centre = [0, 1].map(() => side / 2 + between(random, -3.5, 3.5)) as [number, number]
  const angle = between(random, -shape.turn, shape.turn)
  const stretch = between(random, 0.88, 1.12)
  const noise = between(random, 3, 14)
  const specks = Array.from({ length: random.integer(3) }, () => ({
    x: random.integer(side),
    y: random.integer(side),
    radius: between(random, 0.6, 1.6),
  }))
  const isInk = (x: number, y: number) => {
    const [u, v] = [(x - centre[0]) / size, (y - centre[1]) / size]
    const [across, down] = [u * Math.cos(angle) + v * Math.sin(angle), v * Math.cos(angle) - u * Math.sin(angle)]
    const isSpeck = specks.some((speck) => Math.hypot(x - speck.x, y - speck.y) < speck.radius)
    return figure(across * stretch, down / stretch) !== isSpeck
  }
  const pixels = new Uint8Array(side * side * 3)
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++) {
      let covered = 0
      for (let i = 0; i < points * points; i++) {
        const [x, y] = [column + ((i % points) + 0.5) / points, row + (Math.floor(i / points) + 0.5) / points]
        if (isInk(x, y)) covered++
      }
      const share = covered / points ** 2
      const shade = fade[0] * (column / side - 0.5) + fade[1] * (row / side - 0.5) + noise * random.normal()
      for (const [i, value] of ground.entries()) {
        const mixed = value * (1 - share) + ink[i]! * share + shade
        pixels[(row * side + column) * 3 + i] = Math.min(255, Math.max(0, step * Math.round(mixed / step)))
      }
    }
  return pixels
}
