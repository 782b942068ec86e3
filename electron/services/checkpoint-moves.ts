import { rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isWithin } from '../../engine/shared/allowed-folders.ts'
import { sum } from '../../engine/shared/sum.ts'
import type { WorkControl } from '../../engine/shared/work-control.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import { type MoveRow, MoveStore } from '../database/checkpoint-moves.ts'
import { ProblemError, toProblem, wasAborted } from '../problems.ts'
import { requireAllowed } from './allowed-paths.ts'
import { isCopied, isRenamed, type Origin, removeOrigin } from './checkpoint-move-files.ts'
import { growingAt, type MovePlan, planMoves } from './checkpoint-move-plan.ts'
import { requireUnused } from './checkpoint-users.ts'
import type { Context } from './context.ts'
import { isThere, mountOf } from './drives.ts'
import { exists, filesOf } from './files.ts'

/** What the library does for a move. */
export interface MovedLibrary {
  row: (id: number) => CheckpointRow
  /** Tells everybody that an entry has changed. */
  changed: (id: number) => void
  /** Lets go of the files of an entry, or refuses. */
  release: (row: CheckpointRow) => Promise<void>
}

/**
 * Moves checkpoints to other places. The database says which place counts: the old one until the copy is whole, compared and
 * entered, the new one from then on, whatever is left of the old. Where the app ends in between, the next start goes on from
 * what the database and the disk say.
 */
export class CheckpointMoves {
  readonly #context: Context
  readonly #library: MovedLibrary
  readonly #moves: MoveStore
  /** Those that this process is at work on. */
  readonly #running = new Set<number>()
  #last: Promise<void> = Promise.resolve()

  constructor(context: Context, library: MovedLibrary) {
    this.#context = context
    this.#library = library
    this.#moves = new MoveStore(context.db)
  }

  /** @throws ProblemError of kind `in-use` where a path belongs to a checkpoint that is being moved */
  requireStill(paths: readonly string[]): void {
    for (const { checkpoint_id: id, origin } of this.#moves.all())
      if (paths.some((path) => isWithin(path, [origin])))
        throw new ProblemError(
          'in-use',
          `${this.#context.checkpoints.get(id)!.name} is being moved: wait until it is there.`,
        )
  }

  /** Moves checkpoints into a folder, one after the other. @throws ProblemError that says how many were moved before it */
  async move(ids: readonly number[], to: string): Promise<void> {
    const [first, ...others] = this.#movable(ids)
    await this.#context.tasks.run(
      {
        kind: 'move',
        title: `Moving ${others.length > 0 ? `${1 + others.length} checkpoints` : first!.name} to ${to}`,
        subject: others.length > 0 ? null : { kind: 'checkpoint', id: first!.id },
      },
      // Names and room of one are known once the one before it is done.
      (control) =>
        this.#inTurn(async () => {
          control.signal.throwIfAborted()
          await this.#moveAll(await planMoves(this.#context, this.#movable(ids), to), control)
        }),
    )
  }

  /** @throws ProblemError where a run needs one of them, or it is being moved */
  #movable(ids: readonly number[]): CheckpointRow[] {
    const rows = [...new Set(ids)].map((id) => this.#library.row(id))
    for (const row of rows) {
      requireUnused(this.#context.runs, row)
      this.requireStill([row.path])
    }
    return rows
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => {})
    return turn
  }

  async #moveAll(plans: readonly MovePlan[], { signal, progress }: WorkControl): Promise<void> {
    // Of what is copied every byte is written and read again.
    const work = plans.map(({ renames, files }) => (renames ? 1 : 2 * sum(files.map(({ bytes }) => bytes))))
    let before = 0
    for (const [at, plan] of plans.entries()) {
      signal.throwIfAborted()
      const control = { signal, progress: (done: number) => progress(before + done, sum(work)) }
      try {
        const steps = this.steps(plan, control)
        while (!(await steps.next()).done);
      } catch (error) {
        if (at === 0 || wasAborted(error)) throw error
        const { kind, message } = toProblem(error)
        throw new ProblemError(kind as 'internal', `${message} ${at} of ${plans.length} were moved before.`, {
          cause: error,
        })
      }
      progress((before += work[at]!), sum(work))
      this.#context.emit('libraryFolders', {})
    }
  }

  /** Moves one checkpoint. Between two steps, and within each, the app may end at any instant. */
  async *steps(plan: MovePlan, control: WorkControl): AsyncGenerator<string> {
    const { row, target, folder, whole, files } = plan
    const { id: checkpoint_id, path: origin } = row
    const begun = { checkpoint_id, origin, folder, whole: Number(whole), target, state: 'copying' } as const
    const move = { ...begun, id: this.#moves.insert(begun) }
    this.#running.add(move.id)
    try {
      yield 'planned'
      const renamed = plan.renames && (await isRenamed(folder, target))
      if (!renamed) {
        const asked = { from: folder, to: target, temporary: growingAt(target), files: [...files] }
        await this.#context.engine.request('copyFiles', asked, control)
      }
      yield 'copied'
      try {
        await this.#enter(move)
      } catch (error) {
        if (renamed) await rename(target, folder)
        else await rm(target, { recursive: true, force: true })
        throw error
      }
    } catch (error) {
      this.#end(move.id)
      throw error
    }
    yield 'entered'
    try {
      await this.#removeOrigin(target, plan)
    } finally {
      this.#running.delete(move.id)
    }
    yield 'removed'
    this.#end(move.id)
  }

  #end(id: number): void {
    this.#running.delete(id)
    this.#moves.remove(id)
  }

  /** From here on the new place counts. */
  async #enter(move: MoveRow): Promise<void> {
    const { checkpoints, db, engine, runs } = this.#context
    const before = this.#library.row(move.checkpoint_id)
    const path = before.path.toLowerCase().endsWith('.gguf') ? join(move.target, basename(before.path)) : move.target
    const inspection = await engine.request('inspect', { checkpoint: path })
    const mount = await mountOf(path)
    await this.#library.release(before)
    requireUnused(runs, before)
    db.transaction(() => {
      checkpoints.freePath(inspection.folder, before.id)
      checkpoints.update(before.id, {
        path: inspection.folder,
        inspection: JSON.stringify(inspection),
        storage: 'copied',
        status: 'present',
        mount,
      })
      this.#moves.update(move.id, { state: 'copied' })
    })()
    this.#library.changed(before.id)
  }

  /** Removes what was copied, or says why it is left. */
  async #removeOrigin(target: string, origin: Origin): Promise<void> {
    const lacking = await removeOrigin(target, origin)
    if (lacking === null) return
    const message = `${join(origin.folder, lacking)} came or changed while its checkpoint was moved: the old files were left there.`
    this.#context.emit('notice', { level: 'warning', message })
  }

  /** Puts right what was under way when the app last ended. What is on a drive that is not here waits for it. */
  async recover(): Promise<void> {
    for (const move of this.#moves.all()) {
      const { id, target, folder } = move
      if (this.#running.has(id)) continue
      if (!(await isThere(dirname(target))) || !(await isThere(dirname(folder)))) continue
      try {
        await this.#recoverOne(move)
      } catch (error) {
        // Both copies are there still, and the next start tries again.
        console.error(`the move of ${move.origin} to ${target} could not be put right`, error)
      }
    }
  }

  async #recoverOne(move: MoveRow): Promise<void> {
    const { folder, target, state, checkpoint_id: id } = move
    const row = this.#context.checkpoints.get(id)!
    await requireAllowed(this.#context.options.platform, [target, folder])
    const growing = growingAt(target)
    const isNamed = (await exists(target)) && !(await exists(growing))
    const isWhole = isNamed && (state === 'copied' || (await isCopied(move)))
    if (state === 'copying' && !isWhole) {
      await rm(growing, { recursive: true, force: true })
      const message = `The move of ${row.name} to ${dirname(target)} was cut short: it is where it was.`
      this.#context.emit('notice', { level: 'warning', message })
    } else {
      const files = move.whole ? [] : await filesOf(target, 'leave out')
      if (state === 'copying') await this.#enter(move)
      await this.#removeOrigin(target, { folder, whole: move.whole === 1, files })
    }
    this.#moves.remove(move.id)
  }
}
