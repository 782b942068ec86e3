import type { create as createGpu } from 'webgpu'
import { cpus } from 'node:os'
import { SecateurError } from '../../shared/errors.ts'
import { cardMemory, cardName } from './memory.ts'

/** A graphics card that is open, through Dawn. */
export interface Card {
  device: GPUDevice
  info: GPUAdapterInfo
  /** Memory of the card; null where the system does not say. */
  memoryBytes: number | null
  /** Maps a buffer and blocks until it is mapped, without returning to the event loop. */
  mapNow(buffer: GPUBuffer): void
  /** Milliseconds for which `mapNow` has blocked so far: the host had nothing to do but wait for the card. */
  waitedMilliseconds: number
  /** @throws SecateurError where the card was lost, ran out of memory or refused a command since the last call. */
  check(): void
  /** Ignores the commands that the card refused so far, after a trial. */
  forget(): void
  close(): void
}

const toggles = [
  // Subgroup matrices need it.
  'allow_unsafe_apis',
  // NVIDIA drivers before 615.71 hide f16, and with it the subgroup matrices, otherwise.
  'vulkan_enable_f16_on_nvidia',
  // Otherwise every workgroup starts by filling its memory with zeros, which SwiftShader takes seconds to compile. Every kernel
  // writes workgroup memory before it reads it.
  'disable_workgroup_init',
]
const optionalFeatures = [
  'shader-f16',
  'subgroups',
  'chromium-experimental-subgroup-matrix',
  // For `npm run profile:gpu`.
  'timestamp-query',
]
/** Otherwise times are rounded to 0.1 ms, a protection that web pages need. */
const disabledToggles = ['timestamp_quantization']
const limits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupsPerDimension',
] as const

/**
 * Opens the graphics card that the system prefers.
 *
 * @throws Error that says why there is none and what to do.
 */
export async function openCard(): Promise<Card> {
  // Dawn itself would write a warning on standard error at every start of a computer without a card.
  if (process.platform === 'linux' && !systemHas('libvulkan.so.1')) throw new Error(noDriver())
  let dawn: typeof import('webgpu')
  try {
    dawn = await import('webgpu')
  } catch (cause) {
    throw new Error(
      `the package webgpu has no library for ${process.platform} ${process.arch} that loads here: ${(cause as Error).message}`,
      { cause },
    )
  }
  Object.assign(globalThis, dawn.globals)
  const poll = capturePoll()
  try {
    // Dawn ends the process when the object that create() returns is collected: the card keeps it.
    const gpu = dawn.create([
      `enable-dawn-features=${toggles.join(',')}`,
      `disable-dawn-features=${disabledToggles.join(',')}`,
    ]) as ReturnType<typeof createGpu>
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
    if (!adapter) throw new Error(noDriver())
    const device = await adapter.requestDevice({
      requiredFeatures: optionalFeatures.filter((name) => adapter.features.has(name)) as GPUFeatureName[],
      requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
    })
    return makeCard(gpu, adapter, device, poll)
  } finally {
    poll.stop()
  }
}

/** Whether the system's loader finds a shared library. */
function systemHas(library: string): boolean {
  try {
    process.dlopen({ exports: {} }, library)
  } catch (error) {
    // If the library exists, the error says that it is not a Node addon.
    return !String(error).includes('cannot open shared object file')
  }
  return true
}

const noDriver = () =>
  ({
    linux:
      'no Vulkan driver found: install the driver of your graphics card (NVIDIA: the proprietary one; AMD and Intel: mesa-vulkan-drivers) and libvulkan1',
    darwin: 'no graphics card found that Metal can use',
    win32: 'no graphics card found that Direct3D 12 can use: install the driver of its maker',
  })[process.platform as string] ?? `no graphics card found on ${process.platform}`

function makeCard(gpu: GPU, adapter: GPUAdapter, device: GPUDevice, poll: Poll): Card {
  let failure: SecateurError | null = null
  let lost = false
  let open = true
  const fail = (kind: 'does-not-fit' | 'unsupported', message: string) => {
    failure ??= new SecateurError(kind, message)
  }
  const check = () => {
    if (!failure) return
    const error = failure
    // A lost card stays lost. Any other failure is thrown once.
    if (!lost) failure = null
    throw error
  }
  device.addEventListener('uncapturederror', (event) => {
    const { error } = event as GPUUncapturedErrorEvent
    if (error instanceof GPUOutOfMemoryError)
      fail(
        'does-not-fit',
        'the graphics card ran out of memory: take a smaller batch size, a shorter sequence length, or hold the weights in 8 bits with --int8',
      )
    else fail('unsupported', `the graphics card refused a command: ${error.message}`)
  })
  void device.lost.then(({ message }) => {
    if (!open) return
    lost = true
    fail('unsupported', lostMessage(message))
  })
  return {
    device,
    info: adapter.info,
    memoryBytes: cardMemory(adapter.info),
    waitedMilliseconds: 0,
    mapNow(buffer) {
      let refused: unknown
      const started = performance.now()
      buffer.mapAsync(GPUMapMode.READ).catch((error: unknown) => (refused = error))
      poll.until(() => buffer.mapState !== 'pending')
      this.waitedMilliseconds += performance.now() - started
      check()
      if (buffer.mapState === 'mapped') return
      lost = true
      failure = new SecateurError('unsupported', lostMessage(''), { cause: refused })
      throw failure
    },
    check,
    forget() {
      if (!lost) failure = null
    },
    close() {
      open = false
      device.destroy()
      // Keeps the object alive until here: see openCard.
      void gpu
    },
  }
}

const lostMessage = (message: string) =>
  `the graphics card was lost (its driver was reset or it was taken away)${message ? `: ${message}` : ''}`

interface Poll {
  until(done: () => boolean): void
  stop(): void
}

/**
 * Waits for results of Dawn in synchronous code. Dawn settles its promises in a function that it passes to `setImmediate`;
 * calling that function checks the card's work at once. This finds the function while a card is opened, by wrapping
 * `setImmediate`.
 */
function capturePoll(): Poll {
  const original = globalThis.setImmediate
  let look: (() => void) | null = null
  const listen = (callback: (...args: unknown[]) => void, ...args: unknown[]) => {
    if (Function.prototype.toString.call(callback).endsWith('{ [native code] }')) look = callback as () => void
    return original(callback, ...args)
  }
  globalThis.setImmediate = Object.assign(listen, original) as typeof setImmediate
  const pause = new Int32Array(new SharedArrayBuffer(4))
  return {
    until(done) {
      if (!look) throw new Error('the package webgpu does not finish its work through setImmediate any more')
      for (let turn = 0; ; turn++) {
        look()
        if (done()) return
        // The first checks follow each other without a pause: most results arrive within a millisecond.
        if (turn > 20) Atomics.wait(pause, 0, 0, turn < 200 ? 0.1 : 1)
      }
    },
    stop() {
      globalThis.setImmediate = original
    },
  }
}

/** Whether it is a software renderer, which computes on the processor. */
export const isSoftware = ({ isFallbackAdapter, description, device, architecture }: GPUAdapterInfo): boolean =>
  isFallbackAdapter ||
  /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i.test(`${description} ${device} ${architecture}`)

/** Whether the card uses the computer's memory. A card of unknown memory is taken to do so. */
export const sharesMemory = ({ info, memoryBytes }: Pick<Card, 'info' | 'memoryBytes'>): boolean =>
  memoryBytes === null || isSoftware(info) || !/nvidia|amd/i.test(info.vendor)

/** The card in words. */
export function describeCard(info: GPUAdapterInfo): string {
  const name =
    cardName(info) ?? (info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(' '))
  return isSoftware(info) ? `${name} on ${cpus()[0]?.model.trim() ?? process.arch}` : name
}
