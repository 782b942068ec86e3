import { createRequire } from 'node:module'
import { tf } from '../../tensor/tf.ts'
import { type LogitsAtOnce, offerExtras } from '../extras.ts'
import type { DeviceFacts } from '../facts.ts'
import { setArithmetic } from './arithmetic.ts'
import { registerOurKernels } from './kernels/index.ts'
import { type CardBackend, createBackend, freeUnused } from './backend.ts'
import { recordWork } from './recorded-work.ts'
import { chooseArithmetic } from './self-test.ts'
import { weightsOf } from './weights.ts'
import { type Card, describeCard, isSoftware, openCard } from './dawn.ts'

export const backendName = 'webgpu'

/** TensorFlow.js keeps kernels by the back end's name, also after the card is closed. */
let kernelsRegistered = false
let running: { card: Card; backend: CardBackend } | null = null

/**
 * Opens the graphics card through Dawn and makes it known to TensorFlow.js as the back end `webgpu`, with the kernels of
 * TensorFlow.js and our own. A second call changes nothing.
 *
 * @param options.software takes a software renderer too
 * @throws Error that says why no card can be used.
 */
export async function startWebGpu(options: { software: boolean }): Promise<DeviceFacts> {
  if (!running) {
    const card = await openCard()
    if (isSoftware(card.info) && !options.software) {
      card.close()
      throw new Error(
        `${describeCard(card.info)} is a software renderer, which computes on the processor: it is used only when it is asked for with --device webgpu`,
      )
    }
    const backend = createBackend(card, createRequire(import.meta.url))
    offerExtras(backend, {
      flush: () => backend.flush(),
      recordWork: (inputs, work) => recordWork(backend, inputs, work),
      logitsAtOnce: logitsAtOnce(card),
      weightsDropped: () => freeUnused(backend),
      weightHolder: {
        placeWeight: (weight) => weightsOf(backend).place(weight),
        dropWeight: (weight) => weightsOf(backend).delete(weight.id),
      },
    })
    tf.registerBackend(backendName, () => backend)
    if (!kernelsRegistered) registerOurKernels()
    kernelsRegistered = true
    running = { card, backend }
    try {
      setArithmetic(backend, chooseArithmetic(backend))
    } catch (error) {
      stopWebGpu()
      throw error
    }
  }
  const { info, memoryBytes } = running.card
  return {
    device: describeCard(info),
    driver: `${info.vendor} ${info.architecture} ${info.description}`,
    memoryBytes,
    threads: 1,
  }
}

/** Products of some hundred rows with the head's weight keep a card busy; more of them only take memory. */
function logitsAtOnce({ device }: Card): LogitsAtOnce {
  const most = Math.min(2 ** 26, device.limits.maxStorageBufferBindingSize / 4)
  return { handy: Math.min(2 ** 24, most), most, rows: 512 }
}

/** Closes the card, if it is open, and frees its memory. The caller must then make another back end the current one. */
export function stopWebGpu(): void {
  if (!running) return
  tf.removeBackend(backendName)
  running.card.close()
  running = null
}
