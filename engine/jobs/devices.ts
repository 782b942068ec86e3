import type { Devices, LlamaCppBuild } from '../contract/index.ts'
import { listBuilds } from '../llama-cpp/list-builds.ts'

/** What computes here: back ends of Secateur, and builds of llama.cpp. */
export interface EveryDevice extends Devices {
  llamaCpp: LlamaCppBuild[]
}

/** All that can compute on this computer, and why anything else is not used. */
export async function listEveryDevice(signal: AbortSignal): Promise<EveryDevice> {
  // llama.cpp starts in processes of its own, while the back ends are loaded here.
  const builds = listBuilds({ signal })
  // It is waited for below.
  builds.catch(() => {})
  const { listDevices } = await import('../backends/devices.ts')
  // What is timed has the computer for itself.
  const devices = await listDevices({ quiet: builds })
  return { ...devices, llamaCpp: await builds }
}
