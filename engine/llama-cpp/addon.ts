import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { StartedOn } from './messages.ts'

// What is used of the native library in node-llama-cpp's packages. The library of that name itself takes 40 MB more, most of
// them llama.cpp's sources to build it anew, and evaluates tokens by a queue of its own: this is all that is between us and
// llama.cpp. Packages are pinned to a version, and test/unit/llama-cpp/ runs it.

export interface AddonModel {
  init(): Promise<boolean>
  getTotalSize(): number
  dispose(): Promise<void>
}

export interface AddonSampler {
  /** `topK` and `topP` are left out where they choose nothing; temperature 0 takes the likeliest token. */
  applyConfig(config: { temperature: number; topK?: number; topP?: number; seed?: number }): void
  dispose(): void
}

/**
 * A token, and what was asked for of its place: probabilities of all tokens, and logits of some, as pairs of id and value
 * in one list; the sum of exp(logit - largest logit) over all.
 */
export type SampledToken = [
  id: number,
  probabilities?: readonly number[],
  confidence?: number,
  logits?: readonly number[],
  totalWeight?: number,
]

export interface AddonContext {
  init(): Promise<boolean>
  dispose(): Promise<void>
  setThreads(threads: number): void
  initBatch(tokens: number): void
  /** @param wanted places in `ids` whose logits are wanted @returns where in the batch these lie */
  addToBatch(sequence: number, position: number, ids: Uint32Array, wanted: Uint32Array): Uint32Array
  decodeBatch(): Promise<void>
  sampleToken(place: number, sampler: AddonSampler): Promise<number>
  sampleToken(
    place: number,
    sampler: AddonSampler,
    probabilities: boolean,
    confidence: false,
    logits: false | [ids: readonly number[], most: boolean, least: boolean, sampled: boolean, likeliest: number],
    totalWeight: boolean,
  ): Promise<SampledToken>
  disposeSequence(sequence: number): void
}

export interface Addon {
  AddonModel: new (
    file: string,
    settings: {
      addonExports: Addon
      gpuLayers: number
      useMmap: boolean
      onLoadProgress: (share: number) => void
    },
  ) => AddonModel
  AddonContext: new (
    model: AddonModel,
    settings: {
      contextSize: number
      batchSize: number
      sequences: number
      threads: number
      flashAttention: 'auto'
    },
  ) => AddonContext
  AddonSampler: new (model: AddonModel) => AddonSampler
  markLoaded(): boolean
  loadBackends(folder?: string): void
  getGpuType(): string | false | undefined
  /** Of graphics cards alone: software drivers are left out unless the environment names them. */
  getGpuDeviceInfo(): { deviceNames: string[] }
  /** In bytes, over all cards; `unifiedSize` is that part of `total` which is the computer's own memory. */
  getGpuVramInfo(): { total: number; used: number; unifiedSize: number }
  /** @throws Error where the driver is too old for it, which would end the process later */
  ensureGpuDeviceIsSupported(): void
  setLogger(logger: (level: number, message: string) => void): void
  setLoggerLogLevel(level: number): void
  init(): Promise<void>
}

/** Levels of the library's log; it tells those up to the one that is set. */
const errors = 2

/**
 * Loads the library, and in it llama.cpp's code for this processor and for graphics cards.
 *
 * @param onError hears what llama.cpp says of errors, in pieces of lines
 * @throws Error where a library that it needs is not there, or the driver of the card is too old
 */
export async function loadAddon(file: string, onError: (message: string) => void): Promise<Addon> {
  const addon = createRequire(import.meta.url)(file) as Addon
  addon.markLoaded()
  addon.setLogger((level, message) => level <= errors && onError(message))
  addon.setLoggerLogLevel(errors)
  addon.loadBackends()
  if (!addon.getGpuType()) addon.loadBackends(dirname(file))
  if (addon.getGpuType()) addon.ensureGpuDeviceIsSupported()
  await addon.init()
  return addon
}

/** What a library that is loaded computes on. */
export function startedOn(addon: Addon): StartedOn {
  if (!addon.getGpuType()) return { cards: [], freeBytes: 0, unified: false }
  const { total, used, unifiedSize } = addon.getGpuVramInfo()
  return { cards: addon.getGpuDeviceInfo().deviceNames, freeBytes: total - used, unified: unifiedSize > 0 }
}

/** Milliseconds within which a message of llama.cpp arrives: it comes by another way than that something failed. */
const messageDelay = 50

/** What went wrong: llama.cpp itself names the tensor or key, the addon only says that something failed. */
export async function failureText(error: unknown, said: () => string): Promise<string> {
  await setTimeout(messageDelay)
  const own = said()
    .split('\n')
    .find((line) => /error|fail/i.test(line))
  return (own ?? (error as Error).message).trim()
}
