import { cpus, totalmem } from 'node:os'
import type { BackendName } from '../shared/backend-names.ts'
import { rankBackends, threadsOf } from './choose.ts'

export interface DeviceList {
  /** The back end that `auto` takes. */
  chosen: BackendName
  backends: {
    name: BackendName
    works: boolean
    /** The device that it computes on, or why it is not used. */
    detail: string
    device: string | null
    memoryBytes: number | null
    /** Speed of a frozen linear layer in GFLOP/s; null where it was not measured. */
    gigaflops: number | null
  }[]
  processor: string
  /** Threads that a job uses. */
  cores: number
  memoryBytes: number
}

/**
 * Every back end: its device and speed, or why it is not used. The one that `auto` takes is the current one afterwards.
 *
 * @param quiet what is waited for before anything is timed
 */
export async function listDevices({ quiet }: { quiet?: Promise<unknown> } = {}): Promise<DeviceList> {
  const threads = threadsOf({})
  const { chosen, contenders, refused } = await rankBackends(threads, { measureAll: true, quiet })
  return {
    chosen: chosen.name,
    backends: [
      ...contenders.map(({ name, facts, gigaflops }) => ({
        name,
        works: true,
        detail:
          name === chosen.name
            ? `computes on ${facts.device}`
            : refused.find((refusal) => refusal.name === name)!.reason,
        device: facts.device,
        memoryBytes: facts.memoryBytes,
        gigaflops,
      })),
      ...refused
        .filter(({ name }) => contenders.every((contender) => contender.name !== name))
        .map(({ name, reason }) => ({
          name,
          works: false,
          detail: reason,
          device: null,
          memoryBytes: null,
          gigaflops: null,
        })),
    ],
    processor: cpus()[0]?.model.trim() ?? process.arch,
    cores: threads,
    memoryBytes: totalmem(),
  }
}

let known: Promise<DeviceList> | null = null

/** The same, computed once a process. */
export function knownDevices(): Promise<DeviceList> {
  if (!known) {
    known = listDevices()
    known.catch(() => (known = null))
  }
  return known
}
