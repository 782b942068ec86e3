import type { CheckpointSummary } from '../../../../electron/contract/index.ts'
import { bytes } from '../../format.ts'

type Fits = NonNullable<CheckpointSummary['fits']>
type Fit = Fits['train']

const works = { train: 'Train', prune: 'Prune', run: 'Run' } as const
const places: Record<Fit['placement'], string> = {
  processor: 'CPU',
  card: 'GPU',
  streamed: 'GPU, weights streamed',
}

interface FitRow {
  work: string
  fits: boolean
  /** "bfloat16", "8-bit". */
  precision: string
  /** Where it is computed. */
  place: string
  memory: string
  /** What is odd about it: why it does not fit, or what it takes to. */
  note: string
  /** All of it in a sentence. */
  sentence: string
}

/** What can be done with a checkpoint on this computer, in words. */
export function fitRows(fits: Fits): FitRow[] {
  return (['train', 'prune', 'run'] as const).map((key) => {
    const fit = fits[key]
    const work = works[key]
    const place = places[fit.placement]
    const memory = fit.memoryBytes > 0 ? bytes(fit.memoryBytes) : ''
    const note = [fit.fits && fit.reduced ? reduced(key) : '', fit.detail ?? ''].filter(Boolean).join(' ')
    const sentence = fit.fits
      ? `${work}: fits in ${fit.precision} on the ${place}, with ${memory} of memory. ${note}`.trim()
      : `${work}: does not fit. ${note}`
    return { work, fits: fit.fits, precision: fit.precision, place, memory, note, sentence }
  })
}

const reduced = (key: keyof typeof works): string =>
  key === 'run' ? 'In batches of 256 tokens.' : 'With a micro-batch size of 1 and gradient checkpointing.'
