/** The device that a back end computes on. */
export interface DeviceFacts {
  /** Name of the processor or graphics card, for a person to read. */
  device: string
  /** Identifies device and driver: a cached speed is valid for one value of it. */
  driver: string
  /** Memory of the device in bytes; null where it is not known. */
  memoryBytes: number | null
  threads: number
}
