import type { Random } from '../../engine/shared/random.ts'

/** Whether a point belongs to a figure; the figure lies around 0 and reaches to about 1. */
export type Figure = (x: number, y: number) => boolean

export interface Shape {
  name: string
  /** How far it is turned at most, in radians: what its class is told by must survive. */
  turn: number
  /** A figure of this class; no two are quite alike. */
  make: (random: Random) => Figure
}

const between = (random: Random, low: number, high: number) => low + (high - low) * random.uniform()
const { PI, abs, atan2, cos, floor, hypot, max, sin } = Math

/** A polygon with equal sides. */
const polygon =
  (sides: number): Figure =>
  (x, y) => {
    const sector = (2 * PI) / sides
    const angle = atan2(y, x)
    return hypot(x, y) * cos(angle - sector * Math.round(angle / sector)) < cos(PI / sides)
  }

const star =
  (points: number, inner: number): Figure =>
  (x, y) => {
    const half = PI / points
    const angle = atan2(y, x)
    // From a point of the star to the notch beside it, a straight edge.
    const within = abs(angle - 2 * half * Math.round(angle / (2 * half)))
    const radius = (inner * sin(half)) / (inner * sin(half - within) + sin(within))
    return hypot(x, y) < radius
  }

const discs =
  (places: readonly (readonly [number, number])[], radius: number): Figure =>
  (x, y) =>
    places.some(([left, top]) => hypot(x - left, y - top) < radius)

const cross =
  (width: number): Figure =>
  (x, y) =>
    max(abs(x), abs(y)) < 1 && (abs(x) < width || abs(y) < width)

const turned =
  (figure: Figure, angle: number): Figure =>
  (x, y) =>
    figure(x * cos(angle) + y * sin(angle), y * cos(angle) - x * sin(angle))

const arrow =
  (shaft: number): Figure =>
  (x, y) =>
    (y < 0 && y > -1 && abs(x) < 0.9 * (1 + y)) || (y >= 0 && y < 1 && abs(x) < shaft)

/** Textures fill a window, as if one looked through a hole. */
const window =
  (figure: Figure): Figure =>
  (x, y) =>
    max(abs(x), abs(y)) < 1.15 && figure(x, y)

const odd = (value: number) => floor(value) % 2 !== 0

/** Twenty classes in ten pairs that are easily taken for one another. None is another one's mirror image. */
export const shapes: readonly Shape[] = [
  { name: 'disc', turn: 0.5, make: () => (x, y) => hypot(x, y) < 1 },
  {
    name: 'ring',
    turn: 0.5,
    make(random) {
      const hole = between(random, 0.3, 0.65)
      return (x, y) => hypot(x, y) < 1 && hypot(x, y) > hole
    },
  },
  { name: 'square', turn: 0.3, make: () => (x, y) => max(abs(x), abs(y)) < 0.9 },
  {
    name: 'frame',
    turn: 0.3,
    make(random) {
      const hole = between(random, 0.3, 0.6)
      return (x, y) => max(abs(x), abs(y)) < 0.9 && max(abs(x), abs(y)) > hole
    },
  },
  { name: 'triangle', turn: 0.5, make: () => polygon(3) },
  { name: 'pentagon', turn: 0.5, make: () => polygon(5) },
  { name: 'star-5', turn: 0.5, make: (random) => star(5, between(random, 0.35, 0.5)) },
  { name: 'star-8', turn: 0.5, make: (random) => star(8, between(random, 0.45, 0.6)) },
  { name: 'plus', turn: 0.25, make: (random) => cross(between(random, 0.2, 0.4)) },
  { name: 'saltire', turn: 0.25, make: (random) => turned(cross(between(random, 0.2, 0.4)), PI / 4) },
  { name: 'arrow-up', turn: 0.5, make: (random) => arrow(between(random, 0.2, 0.4)) },
  { name: 'arrow-down', turn: 0.5, make: (random) => turned(arrow(between(random, 0.2, 0.4)), PI) },
  {
    name: 'two-dots',
    turn: 0.5,
    make: (random) => discs([[-0.6, 0], [0.6, 0]], between(random, 0.3, 0.45)), // oxfmt-ignore
  },
  {
    name: 'three-dots',
    turn: 0.5,
    make: (random) => discs([[-0.6, 0.4], [0.6, 0.4], [0, -0.6]], between(random, 0.3, 0.45)), // oxfmt-ignore
  },
  {
    name: 'stripes',
    turn: 0.5,
    make(random) {
      const bands = between(random, 3, 4.5)
      return window((_, y) => odd(bands * (y + 2)))
    },
  },
  {
    name: 'waves',
    turn: 0.5,
    make(random) {
      const bands = between(random, 3, 4.5)
      return window((x, y) => odd(bands * (y + 2) + 0.7 * sin(5 * x)))
    },
  },
  {
    name: 'checks',
    turn: 0.3,
    make(random) {
      const fields = between(random, 2, 3)
      return window((x, y) => odd(fields * (x + 2)) !== odd(fields * (y + 2)))
    },
  },
  {
    name: 'dots',
    turn: 0.3,
    make(random) {
      const fields = between(random, 1.5, 2.2)
      const part = (value: number) => fields * (value + 2) - floor(fields * (value + 2)) - 0.5
      return window((x, y) => hypot(part(x), part(y)) < 0.33)
    },
  },
  {
    name: 'circles',
    turn: 0.5,
    make(random) {
      const rings = between(random, 3.5, 4.5)
      return (x, y) => hypot(x, y) < 1.15 && odd(rings * hypot(x, y))
    },
  },
  {
    name: 'spiral',
    turn: 0.5,
    make(random) {
      const rings = between(random, 3.5, 4.5)
      return (x, y) => hypot(x, y) < 1.15 && odd(rings * hypot(x, y) + atan2(y, x) / PI + 2)
    },
  },
]
