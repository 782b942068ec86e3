import { listDevices } from '../../backends/devices.ts'
import type { Devices } from '../../contract/index.ts'

let known: Promise<Devices> | null = null

/** Every back end: what it computes on, or why it is not used. Found out once in the life of the process. */
export function devices(): Promise<Devices> {
  if (!known) {
    known = listDevices()
    known.catch(() => (known = null))
  }
  return known
}
