/** Numbers of the groups that stay. */
export const kept = (mask: Uint8Array): number[] => [...mask.keys()].filter((index) => mask[index] === 1)

/** Numbers of the features of some heads. */
export const featuresOf = (heads: readonly number[], headSize: number): number[] =>
  heads.flatMap((head) => Array.from({ length: headSize }, (_, i) => head * headSize + i))
