/**
 * Order in which a layer's groups leave: those that have left first and then by score; equal scores by number.
 *
 * @param mask 1 for a group that stays
 * @param runs groups that leave one at a time from each run of so many neighbours, so that all runs keep as many
 */
export function leavingOrder(mask: Uint8Array, scores: Float32Array, runs?: number): number[] {
  if (runs === undefined) return orderOf(mask, scores)
  const ofRuns = Array.from({ length: mask.length / runs }, (_, run) => {
    const start = run * runs
    return orderOf(mask.subarray(start, start + runs), scores.subarray(start, start + runs)).map((i) => start + i)
  })
  return Array.from({ length: runs }, (_, place) => ofRuns.map((order) => order[place]!)).flat()
}

function orderOf(mask: Uint8Array, scores: Float32Array): number[] {
  const score = (group: number) => (mask[group] === 0 ? -Infinity : scores[group]!)
  return Array.from(mask.keys()).sort((one, other) => compare(score(one), score(other)) || one - other)
}

/** Unlike a difference, right for two infinities too. */
export const compare = (one: number, other: number): number => (one < other ? -1 : one > other ? 1 : 0)
