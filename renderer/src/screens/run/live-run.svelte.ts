import type { LoadPoint, PruningSnapshot, RunDetail, RunSummary } from '../../../../electron/contract/index.ts'
import { Curve } from '../../charts/curve.ts'
import { asProblem, call, onEvent, type Problem } from '../../client/index.ts'
import { merged } from './merged.ts'
import { RunLog } from './run-log.svelte.ts'

export type Sample = { step: number; prompt: string; text: string }
/** States in which nothing more happens by itself. */
const resting: readonly RunSummary['state'][] = ['paused', 'cancelled', 'failed', 'interrupted', 'done']
export const isResting = (state: RunSummary['state']): boolean => resting.includes(state)

/** Snapshots that are held at once: each is small, but a run may have thousands. */
const heldSnapshots = 200

/**
 * Everything that the page of a run shows, kept up to date by events. Listening begins before anything is read, so that
 * nothing falls between the two; what comes twice counts once.
 */
export class LiveRun {
  readonly id: number
  detail = $state.raw<RunDetail>()
  problem = $state.raw<Problem>()
  samples = $state.raw<readonly Sample[]>([])
  readonly log: RunLog
  load = $state.raw<readonly LoadPoint[]>([])
  pruningSteps = $state.raw<readonly number[]>([])
  snapshots = $state.raw<ReadonlyMap<number, PruningSnapshot>>(new Map())
  #curves = new Map<string, Curve>()
  /** Moves whenever a curve has grown or was cut. */
  #grown = $state(0)
  /** What happened while the curves were being read. */
  #waiting: (() => void)[] | null = []
  #frame: number | null = null
  readonly #asked = new Set<number>()
  readonly #stops: (() => void)[]

  constructor(id: number) {
    this.id = id
    this.log = new RunLog(id)
    this.#stops = [
      onEvent('run', (run) => run.id === id && this.#changed(run)),
      onEvent('metrics', ({ id: of, points }) => {
        if (of !== id) return
        this.#whenRead(() => {
          for (const each of points) this.#curveOf(each.name).append(each)
          this.#draw()
        })
      }),
      onEvent('rewound', ({ id: of, step }) => {
        if (of === id) this.#whenRead(() => this.#rewind(step))
      }),
      onEvent('snapshot', ({ id: of, snapshot }) => of === id && this.#whenRead(() => this.#addSnapshot(snapshot))),
      onEvent('sample', ({ id: of, sample }) => {
        if (of === id) this.#whenRead(() => (this.samples = merged(this.samples, [sample], sampleKey)))
      }),
      onEvent('load', ({ id: of, point }) => {
        if (of === id) this.#whenRead(() => (this.load = merged(this.load, [point], ({ time }) => time)))
      }),
      onEvent('log', ({ id: of, lines }) => of === id && this.#whenRead(() => this.log.add(lines))),
    ]
  }

  /** Reads everything; again after a lost connection. What is shown stays until the answers are there. */
  async read(): Promise<void> {
    this.#waiting ??= []
    const { id } = this
    try {
      const [detail, series, samples, load] = await Promise.all([
        call('runs.get', { id }),
        call('runs.series', { id, points: 1000 }),
        call('runs.samples', { id }),
        call('runs.load', { id }),
        this.log.read(),
      ])
      this.detail = detail
      this.problem = undefined
      this.#curves = new Map(series.map((each) => [each.name, Curve.from(each)]))
      this.samples = samples
      this.load = load
      this.pruningSteps = detail.pruningSteps
    } catch (error) {
      const problem = asProblem(error)
      // The banner says that the connection is lost; what was read before is still worth looking at.
      if (problem.kind !== 'disconnected' || !this.detail) this.problem = problem
    }
    const waiting = this.#waiting ?? []
    this.#waiting = null
    for (const happen of waiting) happen()
    this.#draw()
  }

  close(): void {
    for (const stop of this.#stops) stop()
    if (this.#frame !== null) cancelAnimationFrame(this.#frame)
  }

  curve(name: string): Curve | undefined {
    void this.#grown
    return this.#curves.get(name)
  }

  /** The snapshot of a step, asked for where it is not there yet. */
  async needSnapshot(step: number): Promise<void> {
    if (this.snapshots.has(step) || this.#asked.has(step)) return
    this.#asked.add(step)
    try {
      const snapshot = await call('runs.snapshot', { id: this.id, step })
      if (snapshot) this.#keepSnapshot(snapshot)
    } catch {
      // Asked for again when the slider comes back to it; the page says that the chart is missing.
    } finally {
      this.#asked.delete(step)
    }
  }

  #whenRead(happen: () => void): void {
    if (this.#waiting) this.#waiting.push(happen)
    else happen()
  }

  #changed(run: RunSummary): void {
    const before = this.detail
    if (!before) return
    this.detail = { ...before, ...run }
    // Software, hardware and estimate come with the start, names of curves and prompts on the way.
    if (before.state !== run.state) void this.#refreshDetail()
  }

  async #refreshDetail(): Promise<void> {
    try {
      this.detail = await call('runs.get', { id: this.id })
    } catch {
      // The next event or connection brings it.
    }
  }

  #curveOf(name: string): Curve {
    let curve = this.#curves.get(name)
    if (!curve) this.#curves.set(name, (curve = new Curve(name)))
    return curve
  }

  #rewind(step: number): void {
    for (const curve of this.#curves.values()) curve.rewind(step)
    this.samples = this.samples.filter((sample) => sample.step <= step)
    this.pruningSteps = this.pruningSteps.filter((each) => each <= step)
    this.snapshots = new Map([...this.snapshots].filter(([each]) => each <= step))
    this.#draw()
  }

  #addSnapshot(snapshot: PruningSnapshot): void {
    if (!this.pruningSteps.includes(snapshot.step))
      this.pruningSteps = [...this.pruningSteps, snapshot.step].toSorted((a, b) => a - b)
    this.#keepSnapshot(snapshot)
  }

  #keepSnapshot(snapshot: PruningSnapshot): void {
    const held = [...this.snapshots].filter(([step]) => step !== snapshot.step).slice(1 - heldSnapshots)
    this.snapshots = new Map([...held, [snapshot.step, snapshot]])
  }

  /** At most once a frame, however many batches come. */
  #draw(): void {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null
      this.#grown++
    })
  }
}

const sampleKey = ({ step, prompt }: Sample) => `${step} ${prompt}`
