/** What a back end that works computes on. */
export interface DeviceFacts {
  /** The processor or graphics card, and its driver, in words for a person. */
  device: string
  /** Changes when a speed that was measured earlier no longer holds. */
  driver: string
  /** Memory of the device; null where it cannot be told. */
  memoryBytes: number | null
  threads: number
}
