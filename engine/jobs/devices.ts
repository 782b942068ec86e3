import { listDevices } from '../backends/devices.ts'
import type { Devices, LlamaCppBuild } from '../contract/index.ts'
import { listBuilds } from '../llama-cpp/list-builds.ts'

/** What computes here: back ends of Secateur, and builds of llama.cpp. */
export interface EveryDevice extends Devices {
  llamaCpp: LlamaCppBuild[]
}

/** All that can compute on this computer, and why anything else is not used. */
export async function listEveryDevice(signal: AbortSignal): Promise<EveryDevice> {
  const devices = await listDevices()
  // One after the other: what is timed has the computer for itself.
  return { ...devices, llamaCpp: await listBuilds({ signal }) }
}
