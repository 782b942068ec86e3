import { createRequire } from 'node:module'
import { tf } from '../../tf.ts'
import type { DeviceFacts } from '../facts.ts'
import { registerFrozenComposites } from '../frozen-composite.ts'
import { registerOurKernels } from './kernels/index.ts'
import { createBackend, type CardBackend } from './backend.ts'
import { type Card, describeCard, isSoftware, openCard } from './dawn.ts'

export const backendName = 'webgpu'

let running: { card: Card; backend: CardBackend } | null = null

/**
 * Opens the graphics card through Dawn and makes it known to TensorFlow.js as the back end `webgpu`, with the kernels of
 * TensorFlow.js and our own. A second call changes nothing.
 *
 * @throws Error that says why no card can be used.
 */
export async function startWebGpu(): Promise<DeviceFacts> {
  if (!running) {
    const card = await openCard()
    const backend = createBackend(card, createRequire(import.meta.url))
    tf.registerBackend(backendName, () => backend)
    registerFrozenComposites(backendName)
    registerOurKernels()
    running = { card, backend }
  }
  const { info, memoryBytes } = running.card
  return {
    device: describeCard(info),
    driver: `${info.vendor} ${info.architecture} ${info.description}`,
    memoryBytes,
    software: isSoftware(info),
    threads: 1,
  }
}

/** Closes the card, if it is open, and takes everything off it. Another back end must be made the current one. */
export function stopWebGpu(): void {
  if (!running) return
  tf.removeBackend(backendName)
  running.card.close()
  running = null
}
