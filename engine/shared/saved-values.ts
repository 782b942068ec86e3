/** Values of a run at the end of a step, by name. */
export type SavedValues = Map<string, { shape: number[]; data: Float32Array }>

/** The same, as a resumed run reads them. */
export interface RestoredValues {
  has(name: string): boolean
  /** @throws SecateurError where the value is missing, or has not as many numbers as are expected */
  value(name: string, numbers: number): Float32Array
}
