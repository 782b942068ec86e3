/** Rows and columns of patches. */
export type Grid = readonly [rows: number, columns: number]

/**
 * How learned positions are resized for images of another size: as transformers does (`bicubic`), or as timm does, whose filter
 * is sharper and grows with what is left out (`antialiased`).
 */
export type PositionFilter = 'bicubic' | 'antialiased'

/**
 * Learned positions for another grid of patches, as torch.nn.functional.interpolate resizes them (mode bicubic, corners not
 * aligned). What stands before the patches stays.
 *
 * @param positions [prefix + rows * columns, hidden]
 */
export function resizePositions(
  positions: Float32Array,
  hidden: number,
  prefix: number,
  from: Grid,
  to: Grid,
  filter: PositionFilter,
): Float32Array {
  const kept = positions.subarray(0, prefix * hidden)
  // Rows first, then columns: along a row neighbours are `hidden` numbers apart.
  const wide = resizeAlong(positions.subarray(prefix * hidden), from[0], from[1], to[1], hidden, filter)
  const high = resizeAlong(wide, 1, from[0], to[0], to[1] * hidden, filter)
  const result = new Float32Array(kept.length + high.length)
  result.set(kept)
  result.set(high, kept.length)
  return result
}

/** @param values [lines, length, size] @returns [lines, target, size] */
function resizeAlong(
  values: Float32Array,
  lines: number,
  length: number,
  target: number,
  size: number,
  filter: PositionFilter,
): Float32Array {
  const result = new Float32Array(lines * target * size)
  for (let at = 0; at < target; at++) {
    const taps = filter === 'bicubic' ? nearestFour(at, length, target) : covered(at, length, target)
    for (let line = 0; line < lines; line++) {
      const written = (line * target + at) * size
      for (const [index, weight] of taps) {
        const read = (line * length + index) * size
        for (let i = 0; i < size; i++) result[written + i]! += weight * values[read + i]!
      }
    }
  }
  return result
}

type Taps = readonly (readonly [index: number, weight: number])[]

/** The four neighbours of a point, those beyond the edge standing for the edge; Keys' cubic with a = -0.75. */
function nearestFour(at: number, length: number, target: number): Taps {
  const centre = ((at + 0.5) * length) / target - 0.5
  const first = Math.floor(centre) - 1
  return [0, 1, 2, 3].map((tap) => {
    const index = first + tap
    return [Math.min(length - 1, Math.max(0, index)), cubic(index - centre, -0.75)] as const
  })
}

/** All that a point covers, weighed by Keys' cubic with a = -0.5, which is stretched where the grid shrinks. */
function covered(at: number, length: number, target: number): Taps {
  const scale = length / target
  const stretch = Math.max(1, scale)
  const centre = (at + 0.5) * scale
  const first = Math.max(0, Math.trunc(centre - 2 * stretch + 0.5))
  const last = Math.min(length, Math.trunc(centre + 2 * stretch + 0.5))
  const taps = Array.from({ length: last - first }, (_, i) => {
    const index = first + i
    return [index, cubic((index + 0.5 - centre) / stretch, -0.5)] as const
  })
  const sum = taps.reduce((total, [, weight]) => total + weight, 0)
  return taps.map(([index, weight]) => [index, weight / sum] as const)
}

/** Keys' cubic convolution kernel (1981). */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance)
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
}
