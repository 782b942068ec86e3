import { currentCard, measureCopies } from '../backends/webgpu/measure.ts'
import { weightsOf } from '../backends/webgpu/weights.ts'
import type { JobContext } from '../contract.ts'

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`
/** Small enough to be copied in a moment. */
const probeBytes = 2 ** 24

/**
 * Says, where a graphics card computes, whether the frozen weights stay on it or are streamed to it, and what that costs.
 *
 * @param weightBytes of the frozen weights in the form in which they are held
 */
export function reportPlacement(weightBytes: number, { emit }: Pick<JobContext, 'emit'>): void {
  const card = currentCard()
  if (!card) return
  const { budget } = weightsOf(card)
  const say = (message: string) => emit({ type: 'log', level: 'info', message })
  if (card.card.memoryBytes === null)
    return say(
      `the graphics card does not say how much memory it has: all weights (${gigabytes(weightBytes)}) go to it; set SECATEUR_GPU_MEMORY to its gigabytes to stream what does not fit`,
    )
  if (weightBytes <= budget) return say(`all weights (${gigabytes(weightBytes)}) stay on the graphics card`)
  const missing = weightBytes - budget
  const { uploadGigabytesPerSecond } = measureCopies(card, probeBytes, 2)
  const seconds = missing / 1e9 / uploadGigabytesPerSecond
  say(
    `${gigabytes(missing)} of the weights (${gigabytes(weightBytes)}) do not fit on the graphics card beside the rest (it takes ${gigabytes(budget)}): they are streamed from memory, about ${seconds.toPrecision(2)} s in every pass through the model`,
  )
}
