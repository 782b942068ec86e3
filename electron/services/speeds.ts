import { cpus } from 'node:os'
import type { ModelSpeed } from '../../engine/contract/index.ts'
import type { WorkControl } from '../../engine/shared/work-control.ts'
import type { CheckpointSpeeds, ParsedRequest, SpeedReport } from '../contract/index.ts'
import type { CheckpointRow } from '../database/checkpoints.ts'
import { SpeedStore } from '../database/speeds.ts'
import { EngineService } from '../engine-client.ts'
import { notFound, ProblemError, toProblem } from '../problems.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import { formatOf, inspectionOf } from './checkpoint-files.ts'
import type { Context } from './context.ts'
import type { DeviceTurns, Turn } from './device-turns.ts'
import type { Handlers } from './handlers.ts'
import type { Library } from './library.ts'
import { machineOf } from './machine.ts'
import { besideOf, writingModelOf } from './playground-models.ts'
import { DeviceChoice } from './run-device.ts'

/** A measurement that goes on, with the checkpoints that it reads. */
interface Live {
  reads: readonly number[]
  turn: Turn | null
}

/** Measures how fast checkpoints run, and keeps what was measured. */
export class Speeds {
  readonly #context: Context
  readonly #library: Library
  readonly #turns: DeviceTurns
  readonly #devices: DeviceChoice
  readonly #store: SpeedStore
  readonly #live = new Map<number, Live>()

  constructor(context: Context, library: Library, turns: DeviceTurns) {
    this.#context = context
    this.#library = library
    this.#turns = turns
    this.#devices = new DeviceChoice(context.engine)
    this.#store = new SpeedStore(context.db)
    library.beforeLeaving.push(async ({ id, name }) => {
      if ([...this.#live.values()].some(({ reads }) => reads.includes(id)))
        throw new ProblemError('in-use', `The speed of ${name} is being measured: cancel that first.`)
    })
  }

  readonly handlers: Handlers<keyof Handlers & `speeds.${string}`> = {
    'speeds.of': ({ id }) => this.#of(this.#library.row(id)),
    'speeds.measure': (asked) => this.#measure(asked),
    'speeds.now': ({ id }) => {
      this.#live.get(id)?.turn?.now()
      return undefined
    },
    'speeds.remove': ({ id }) => this.#setRemoved(id, true),
    'speeds.restore': ({ id }) => this.#setRemoved(id, false),
  }

  #setRemoved(id: number, removed: boolean): undefined {
    const checkpoint = this.#store.setRemoved(id, removed)
    if (checkpoint === undefined) throw notFound('measurement', id)
    this.#context.emit('speeds', { id: checkpoint })
    return undefined
  }

  #of(row: CheckpointRow): CheckpointSpeeds {
    const [dense] = besideOf(this.#context, row)
    const waiting = this.#live.get(row.id)?.turn?.run()
    const run = typeof waiting === 'number' ? this.#context.runs.get(waiting) : undefined
    return {
      reports: this.#store.of(row.id),
      refusal: this.#refusalOf(row),
      asItIs: formatOf(inspectionOf(row)) === 'gguf',
      dense:
        dense === undefined || dense === row.id
          ? null
          : { id: dense, name: this.#context.checkpoints.get(dense)!.name },
      ...(waiting !== undefined && { waitsFor: run ? { id: run.id, name: run.name } : null }),
    }
  }

  #refusalOf(row: CheckpointRow): string | null {
    try {
      this.#requireMeasurable(row)
      return null
    } catch (error) {
      return toProblem(error).message
    }
  }

  /** @throws ProblemError that says why nothing can be measured */
  #requireMeasurable(row: CheckpointRow): void {
    if (row.kind === 'adapter')
      throw new ProblemError('unsupported', `${row.name} is an adapter: merge it, and measure what that writes.`)
    writingModelOf(this.#context, row, { runner: 'auto' })
  }

  async #measure({ id, beside, ...asked }: ParsedRequest<'speeds.measure'>): Promise<SpeedReport> {
    const row = this.#library.row(id)
    const other = beside === undefined || beside === id ? undefined : this.#library.row(beside)
    const rows = [...(other ? [other] : []), row]
    for (const each of rows) this.#requireMeasurable(each)
    if (this.#live.has(id)) throw new ProblemError('conflict', `The speed of ${row.name} is being measured already.`)
    const live: Live = { reads: rows.map((each) => each.id), turn: null }
    this.#live.set(id, live)
    try {
      const { tasks, options } = this.#context
      await requireAllowedWithin(
        options.platform,
        rows.map(({ path }) => path),
      )
      const title = `Measuring the speed of ${row.name}`
      const speeds = await tasks.run({ kind: 'measure', title, subject: { kind: 'checkpoint', id } }, (control) =>
        this.#inTurn(live, id, control, () => this.#ask({ rows, asked }, control)),
      )
      return this.#store.add(id, {
        measured: Date.now(),
        processor: cpus()[0]?.model.trim() ?? process.arch,
        newTokens: asked.newTokens,
        repeats: asked.repeats,
        rows: speeds.map(({ checkpoint, ...speed }) => {
          const { id: checkpointId, name } = rows.find(({ path }) => path === checkpoint)!
          return { checkpointId, name, ...speed }
        }),
      })
    } finally {
      this.#live.delete(id)
      this.#context.emit('speeds', { id })
    }
  }

  /** Works while nothing else computes on the device, unless the user has it go on beside a run. */
  async #inTurn<Result>(live: Live, id: number, { signal }: WorkControl, work: () => Promise<Result>): Promise<Result> {
    const device = await this.#devices.named(this.#context.settings().device)
    signal.throwIfAborted()
    const turn = this.#turns.takeForQuestion(device, signal)
    live.turn = turn
    this.#context.emit('speeds', { id })
    const release = await turn.granted
    live.turn = null
    this.#context.emit('speeds', { id })
    try {
      // Models that nobody asks anything hold memory, and what is measured would have less of it.
      await this.#turns.beforeRun()
      return await work()
    } finally {
      release()
    }
  }

  /** In a process of its own: what it holds of memory is one of the figures. */
  async #ask(
    {
      rows,
      asked: { types, ...lengths },
    }: { rows: readonly CheckpointRow[]; asked: Omit<ParsedRequest<'speeds.measure'>, 'id' | 'beside'> },
    control: WorkControl,
  ): Promise<ModelSpeed[]> {
    const service = new EngineService(this.#context.options.engine)
    const [checkpoint, beside] = rows.map(({ path }) => path).toReversed()
    try {
      return await service.request(
        'measureSpeeds',
        {
          checkpoint: checkpoint!,
          ...(beside !== undefined && { beside }),
          ...(types && { type: types }),
          ...lengths,
          ...machineOf(this.#context.settings()),
        },
        control,
      )
    } finally {
      await service.close()
    }
  }
}
