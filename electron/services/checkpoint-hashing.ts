import { wasAborted } from '../problems.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import type { Context } from './context.ts'
import { Passes } from './passes.ts'

/** Hashes the checkpoints of the library in the background, so that duplicates are found. */
export class CheckpointHashing {
  readonly #context: Context
  readonly #onHashed: (id: number) => void
  readonly #passes = new Passes(() => this.#hashAll())

  /** @param onHashed is called for a checkpoint that has its hash now, and for each one with the same hash */
  constructor(context: Context, onHashed: (id: number) => void) {
    this.#context = context
    this.#onHashed = onHashed
  }

  /** Computes the hashes that are missing, one checkpoint at a time. */
  start(): void {
    if (!this.#passes.isWaiting) this.#context.inBackground(this.#passes.ask())
  }

  async #hashAll(): Promise<void> {
    const { checkpoints, engine, options, tasks } = this.#context
    for (const { id } of checkpoints.all()) {
      const row = checkpoints.get(id)
      if (!row || row.removed !== null || row.content_hash !== null || row.status !== 'present') continue
      try {
        await requireAllowedWithin(options.platform, [row.path])
        const { hash } = await tasks.run(
          { kind: 'hash', title: `Looking for duplicates of ${row.name}`, subject: { kind: 'checkpoint', id: row.id } },
          ({ signal, progress }) => engine.request('hash', { folder: row.path }, { signal, progress }),
        )
        // Files that were replaced meanwhile have another one.
        if (checkpoints.get(id)?.inspection !== row.inspection) {
          this.start()
          continue
        }
        const others = checkpoints.withHash(hash)
        checkpoints.update(id, { content_hash: hash })
        // The checkpoint may have been removed meanwhile.
        for (const one of new Set([id, ...others])) if (checkpoints.get(one)?.removed === null) this.#onHashed(one)
      } catch (error) {
        // The task says what went wrong; the next start tries again.
        if (!wasAborted(error)) console.error(`${row.path} could not be hashed`, error)
      }
    }
  }
}
