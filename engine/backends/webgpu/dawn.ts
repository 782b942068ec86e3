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
  /** Waits for a buffer without giving way to the event loop. */
  mapNow(buffer: GPUBuffer): void
  /** @throws SecateurError where the card was lost, ran out of memory or refused a command since the last call. */
  check(): void
  /** Passes over what was refused so far, where that was a trial. */
  forget(): void
  close(): void
}

const toggles = [
  // Subgroup matrices are behind it.
  'allow_unsafe_apis',
  // NVIDIA drivers before 615.71 hide f16, and with it the subgroup matrices, otherwise.
  'vulkan_enable_f16_on_nvidia',
  // Workgroup memory would be filled with zeros at every start of a workgroup; every kernel writes it before it reads it.
  // SwiftShader takes seconds to compile that.
  'disable_workgroup_init',
]
const optionalFeatures = [
  'shader-f16',
  'subgroups',
  'chromium-experimental-subgroup-matrix',
  // For `npm run profile:gpu`.
  'timestamp-query',
]
/** Times are rounded to 0.1 ms otherwise, which web pages need and we do not. */
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
    // A library that is there is no addon, and that is then the complaint.
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
    // What is lost stays lost; anything else is told once.
    if (!lost) failure = null
    throw error
  }
  device.addEventListener('uncapturederror', (event) => {
    const { error } = event as GPUUncapturedErrorEvent
    if (error instanceof GPUOutOfMemoryError)
      fail(
        'does-not-fit',
        'the graphics card ran out of memory: take fewer rows, a shorter length, or hold the weights in 8 bits with --int8',
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
    mapNow(buffer) {
      let refused: unknown
      buffer.mapAsync(GPUMapMode.READ).catch((error: unknown) => (refused = error))
      poll.until(() => buffer.mapState !== 'pending')
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
      // Held until here.
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
 * Lets results of Dawn be waited for in synchronous code. Dawn finishes its promises in a function that it hands to
 * `setImmediate`; calling that very function looks at the card's work at once. It is learnt here, while a card is opened,
 * by listening to what is handed over.
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
        // The first looks come close after each other: most results are there within a millisecond.
        if (turn > 20) Atomics.wait(pause, 0, 0, turn < 200 ? 0.1 : 1)
      }
    },
    stop() {
      globalThis.setImmediate = original
    },
  }
}

/** Whether it is a processor that plays a graphics card. */
export const isSoftware = ({ isFallbackAdapter, description, device, architecture }: GPUAdapterInfo): boolean =>
  isFallbackAdapter ||
  /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i.test(`${description} ${device} ${architecture}`)

/** Whether what lies on the card lies in the computer's memory; what does not say how much it has is taken to do so. */
export const sharesMemory = ({ info, memoryBytes }: Pick<Card, 'info' | 'memoryBytes'>): boolean =>
  memoryBytes === null || isSoftware(info) || !/nvidia|amd/i.test(info.vendor)

/** The card in words. */
export function describeCard(info: GPUAdapterInfo): string {
  const name =
    cardName(info) ?? (info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(' '))
  return isSoftware(info) ? `${name} on ${cpus()[0]?.model.trim() ?? process.arch}` : name
}
