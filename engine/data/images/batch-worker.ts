import { parentPort, workerData } from 'node:worker_threads'
import { imageBatches } from './image-batches.ts'
import { type Ahead, failed, ready } from './prefetch.ts'
import { readImages } from './stored-images.ts'

const port = parentPort!
const { images, options, slots } = workerData as Ahead
const batches = imageBatches(readImages(images), options)

port.on('message', ({ index, slot }: { index: number; slot: number }) => {
  const { state, patches, labels } = slots[slot]!
  try {
    const batch = batches.at(index)
    patches.set(batch.patches)
    labels.set(batch.labels)
    Atomics.store(state, 0, ready)
  } catch {
    // The thread that waits makes the batch itself, and meets the same error where somebody hears of it.
    Atomics.store(state, 0, failed)
  }
  Atomics.notify(state, 0)
})
