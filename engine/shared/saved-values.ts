/** Values of a run at the end of a step, by name. */
export type SavedValues = Map<string, { shape: number[]; data: Float32Array }>
