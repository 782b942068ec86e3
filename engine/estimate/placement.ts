import { describeCard, sharesMemory } from '../backends/webgpu/dawn.ts'
import { currentCard, measureCopies } from '../backends/webgpu/measure.ts'
import { weightsOf } from '../backends/webgpu/weights.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { Placement } from '../contract/index.ts'
import { sizeText } from '../shared/size-text.ts'
import { weightBytes } from './held-memory.ts'
import type { Work } from './work.ts'

const duration = (seconds: number) => (seconds < 0.01 ? 'less than 0.01 s' : `about ${seconds.toPrecision(2)} s`)
/** Small enough to be copied in a moment. */
const probeBytes = 2 ** 24

/**
 * Whether the frozen weights of a job stay on the graphics card or are streamed to it, and what that costs; undefined where
 * no card is the back end in use.
 */
export function placementOf(job: Work, checkpoint: Checkpoint): Placement | undefined {
  const card = currentCard()
  if (!card || job.kind === 'merge' || job.kind === 'export' || job.kind === 'import') return undefined
  const device = describeCard(card.card.info)
  const weights = weightBytes(job, checkpoint)
  const { budget } = weightsOf(card)
  const streamedBytes = Math.max(0, weights - budget)
  const facts = { device, sharesMemory: sharesMemory(card.card), weightBytes: weights, streamedBytes }
  if (budget === Number.POSITIVE_INFINITY)
    return {
      ...facts,
      budgetBytes: null,
      secondsPerPass: 0,
      detail: `All weights (${sizeText(weights)}) go to ${device}, which does not say how much memory it has: set SECATEUR_GPU_MEMORY to its gigabytes to stream what does not fit.`,
    }
  if (streamedBytes === 0)
    return {
      ...facts,
      budgetBytes: budget,
      secondsPerPass: 0,
      detail: `All weights (${sizeText(weights)}) stay on ${device}, which takes ${sizeText(budget)}.`,
    }
  const sending = 1 / (1e9 * measureCopies(card, probeBytes, 2).uploadGigabytesPerSecond)
  // Weights in 8 bits are kept in memory; others are read again.
  const reading = 'int8' in job && job.int8 ? 0 : secondsToRead(checkpoint)
  const secondsPerPass = streamedBytes * (sending + reading)
  return {
    ...facts,
    budgetBytes: budget,
    secondsPerPass,
    detail: `${sizeText(streamedBytes)} of the weights (${sizeText(weights)}) do not fit on ${device} beside the rest (it takes ${sizeText(budget)}): they are sent to it anew in every pass through the model, which takes ${duration(secondsPerPass)}.`,
  }
}

/** Seconds a byte, for what was read before. */
function secondsToRead(checkpoint: Checkpoint): number {
  // The largest matrix, so that there is enough to read.
  const matrices = [...checkpoint.tensors.values()].filter((tensor) => tensor.shape.length > 1)
  const { name, shape, bytes } = matrices.reduce((most, tensor) => (tensor.bytes > most.bytes ? tensor : most))
  const rowBytes = bytes / shape[0]!
  const rows = Math.min(shape[0]!, Math.ceil(probeBytes / rowBytes))
  const target = new Uint8Array(rows * rowBytes)
  const read = () => {
    const started = performance.now()
    checkpoint.readRows(name, 0, rows, target)
    return (performance.now() - started) / 1000
  }
  read()
  return read() / target.length
}
