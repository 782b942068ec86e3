import { totalmem } from 'node:os'
import { z } from 'zod'
import { type Fits, fitsSchema } from '../../engine/contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import { wasAborted } from '../problems.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import { formatOf, imageFactsOf, inspectionOf, tokenizerOf } from './checkpoint-files.ts'
import type { Context } from './context.ts'
import { machineOf } from './machine.ts'
import { parsedOnce } from './parsed-once.ts'
import { Passes } from './passes.ts'

const readStored = parsedOnce(z.object({ for: z.string(), fits: fitsSchema.nullable() }))
/** Milliseconds between two messages of what was found out. */
const period = 1000

/** Finds out what fits this computer, once for each checkpoint, device and memory, and keeps it in the database. */
export class CheckpointFits {
  readonly #context: Context
  readonly #onKnown: (id: number) => void
  readonly #passes = new Passes(() => this.#all())

  /** @param onKnown is called for one of those that were found out, and says that the list is another one */
  constructor(context: Context, onKnown: (id: number) => void) {
    this.#context = context
    this.#onKnown = onKnown
  }

  /** Finds out what is missing, one checkpoint at a time. */
  start(): void {
    if (!this.#passes.isWaiting) this.#context.inBackground(this.#passes.ask())
  }

  async #all(): Promise<void> {
    const { checkpoints } = this.#context
    let told = performance.now()
    let untold: number | null = null
    for (const { id } of checkpoints.all()) {
      const row = checkpoints.get(id)
      if (!row || row.removed !== null || row.status !== 'present' || this.#isKnown(row)) continue
      // Settings and files that change meanwhile make it an answer to another question.
      const computer = this.#computer()
      const fits = await this.#fitsOf(row)
      if (fits === undefined) continue
      if (checkpoints.get(id)?.inspection !== row.inspection) {
        this.start()
        continue
      }
      checkpoints.update(id, { fits: JSON.stringify({ for: computer, fits }) })
      untold = id
      if (performance.now() - told < period) continue
      told = performance.now()
      this.#tell(untold)
      untold = null
    }
    if (untold !== null) this.#tell(untold)
  }

  #tell(id: number): void {
    if (this.#context.checkpoints.get(id)?.removed === null) this.#onKnown(id)
  }

  /** What the answer holds for: another device, or more memory, may take other checkpoints. */
  #computer(): string {
    const { device, threads } = this.#context.settings()
    return JSON.stringify([device, threads ?? null, totalmem()])
  }

  #isKnown({ fits }: CheckpointRow): boolean {
    return fits !== null && readStored(fits).for === this.#computer()
  }

  /** Undefined where it could not be found out. */
  async #fitsOf(row: CheckpointRow): Promise<Fits | null | undefined> {
    const inspection = inspectionOf(row)
    if (inspection.kind === 'adapter' || formatOf(inspection) === 'onnx') return null
    const { engine, options, settings } = this.#context
    try {
      await requireAllowedWithin(options.platform, [row.path])
      const fits = await engine.request('fits', { checkpoint: row.path, ...machineOf(settings()) })
      return tokenizerOf(inspection) === null && imageFactsOf(inspection) === null ? withoutTokenizer(fits) : fits
    } catch (error) {
      if (!wasAborted(error)) console.error(`what fits of ${row.path} could not be told`, error)
      return undefined
    }
  }
}

/** Nothing reads or writes text without one. */
function withoutTokenizer(fits: Fits): Fits {
  const unusable = { fits: false, detail: 'It has no tokenizer that works.' }
  return {
    ...fits,
    train: { ...fits.train, ...unusable },
    prune: { ...fits.prune, ...unusable },
    run: { ...fits.run, ...unusable },
  }
}

/** What is known of a checkpoint: of another computer too, until it is known of this one. */
export const fitsOf = ({ fits }: CheckpointRow): Fits | null => (fits === null ? null : readStored(fits).fits)
