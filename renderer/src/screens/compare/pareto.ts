export type Better = 'lower' | 'higher'

/**
 * The points that no other one beats: none is at least as good on both axes and better on one. Points that are equal on
 * both are all kept. In the order of x.
 */
export function paretoFront<Point extends { x: number; y: number }>(
  points: readonly Point[],
  better: { x: Better; y: Better },
): Point[] {
  const sign = { x: better.x === 'lower' ? 1 : -1, y: better.y === 'lower' ? 1 : -1 }
  const cost = (point: Point) => [sign.x * point.x, sign.y * point.y] as const
  const ordered = points.toSorted((a, b) => cost(a)[0] - cost(b)[0] || cost(a)[1] - cost(b)[1])
  const front: Point[] = []
  for (const point of ordered) {
    const last = front.at(-1)
    const equal = last !== undefined && last.x === point.x && last.y === point.y
    if (last === undefined || equal || cost(point)[1] < cost(last)[1]) front.push(point)
  }
  return front.toSorted((a, b) => a.x - b.x)
}
