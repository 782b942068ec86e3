import {
  type EngineEvent,
  isOfTasks,
  type Job,
  type Overall,
  type Phase,
  phasesOf,
  type PhaseWork,
} from '../contract/index.ts'

/** Seconds of a phase before its pace counts: the first moments compile graphs and read weights. */
const settling = 0.5

/** Phases that only pass forward through a model: they reach one speed, training another. */
const isForward = (phase: Phase): boolean => phase === 'scoring dense' || phase === 'scoring' || phase === 'comparing'

interface Tracked {
  phase: Phase
  state: 'waiting' | 'active' | 'done'
  /** When it began and ended, by the clock that is given; null before. */
  began: number | null
  ended: number | null
  /** Fraction that is done, and the one at which this attempt found it; null until it tells. */
  fraction: number | null
  first: number | null
  /** What it said itself of the seconds left, and when. */
  told: { seconds: number; at: number } | null
}

/**
 * How far a run is as a whole. A phase that has a pace takes as long as that says; one that is to come as long as its
 * operations take at the speed that this run has reached. Until there is such a speed, nothing is said.
 */
export class OverallProgress {
  readonly #phases: Tracked[]
  readonly #now: () => number
  /** Whether it is made of tasks that tell how long they take. */
  readonly #isOfTasks: boolean
  #work: Partial<Record<Phase, PhaseWork>> = {}
  #fraction = 0

  /** @param now seconds, of a clock that only goes on */
  constructor(job: Job, now: () => number = () => performance.now() / 1000) {
    this.#now = now
    this.#isOfTasks = isOfTasks(job)
    this.#phases = phasesOf(job).map((phase) => ({
      phase,
      state: 'waiting',
      began: null,
      ended: null,
      fraction: null,
      first: null,
      told: null,
    }))
  }

  /** @returns whether something of the progress has changed */
  hear(event: EngineEvent): boolean {
    switch (event.type) {
      case 'work':
        this.#work = event.phases
        return true
      case 'phase':
        this.#begin(event.phase)
        return true
      case 'step':
        // The step that is told of is over: the pace counts from the one before it.
        return this.#report(event.metrics.step / event.steps, (event.metrics.step - 1) / event.steps)
      case 'progress':
        return this.#hearStage(event)
      default:
        return false
    }
  }

  /** The run has come to its end. */
  finish(): void {
    const now = this.#now()
    for (const tracked of this.#phases)
      if (tracked.state !== 'done') Object.assign(tracked, { state: 'done', ended: now })
  }

  #begin(phase: Phase): void {
    const at = this.#phases.findIndex((each) => each.phase === phase)
    const now = this.#now()
    for (const [index, tracked] of this.#phases.entries()) {
      if (index < at && tracked.state !== 'done') Object.assign(tracked, { state: 'done', ended: now })
      if (index === at) Object.assign(tracked, { state: 'active', began: now })
    }
  }

  get #active(): Tracked | undefined {
    return this.#phases.find(({ state }) => state === 'active')
  }

  #hearStage({ stage, done, total, item, parts, secondsLeft }: Extract<EngineEvent, { type: 'progress' }>): boolean {
    const active = this.#active
    // What else happens within a phase, such as reading weights, is part of its time.
    const isOwn = stage === active?.phase || (active?.phase === 'writing' && stage === 'calibrating')
    if (!active || !isOwn || total <= 0) return false
    if (this.#isOfTasks) active.told = secondsLeft === undefined ? null : { seconds: secondsLeft, at: this.#now() }
    const items = this.#work[active.phase]?.items ?? {}
    // Stages of a phase that have sizes follow one another as its items do.
    const stages = parts ? [] : Object.keys(items)
    const place = parts ?? (stages.includes(stage) ? { done: stages.indexOf(stage), total: stages.length } : null)
    const within = done / total
    return this.#report(place ? shareOf(place, within, parts ? item : stage, items) : within)
  }

  #report(fraction: number, first = fraction): boolean {
    const active = this.#active
    if (!active) return false
    active.first ??= Math.max(0, first)
    active.fraction = Math.min(1, Math.max(active.fraction ?? 0, fraction))
    return true
  }

  #spent({ began, ended }: Tracked): number {
    return began === null ? 0 : (ended ?? this.#now()) - began
  }

  /** The seconds that a phase takes as a whole at the pace that it has had; null where it has had none. */
  #measured(tracked: Tracked): number | null {
    const { first, fraction, state, told } = tracked
    if (first === null || fraction === null) return null
    const spent = this.#spent(tracked)
    if (told && state === 'active') {
      const left = Math.max(0, told.seconds - (this.#now() - told.at))
      return fraction < 1 ? left / (1 - fraction) : spent
    }
    const share = (state === 'done' ? 1 : fraction) - first
    return share > 0 && (spent > settling || state === 'done') ? spent / share : null
  }

  /** Operations a second of the phases that have had a pace, of the same kind where there are such; null where none has. */
  #speedFor(phase: Phase): number | null {
    const known = this.#phases.flatMap((tracked) => {
      const seconds = this.#measured(tracked)
      const work = this.#work[tracked.phase]
      return seconds !== null && work && work.operations > 0 ? [{ phase: tracked.phase, seconds, work }] : []
    })
    const alike = known.filter((each) => isForward(each.phase) === isForward(phase))
    const counted = alike.length > 0 ? alike : known
    const seconds = counted.reduce((sum, each) => sum + each.seconds, 0)
    return seconds > 0 ? counted.reduce((sum, { work }) => sum + work.operations, 0) / seconds : null
  }

  /** The seconds that a phase takes as a whole; null while nothing tells. */
  #whole(tracked: Tracked): number | null {
    const measured = this.#measured(tracked)
    if (measured !== null) return measured
    const work = this.#work[tracked.phase]
    if (!work) return tracked.state === 'done' ? this.#spent(tracked) : null
    if (work.operations === 0) return work.seconds
    const speed = this.#speedFor(tracked.phase)
    return speed === null ? null : work.seconds + work.operations / speed
  }

  /** What of a phase is done: by what it says, or by its time. */
  #doneOf(tracked: Tracked, whole: number): number {
    if (tracked.state === 'done') return 1
    if (tracked.state === 'waiting') return 0
    const { fraction } = tracked
    return fraction ?? (whole > 0 ? Math.min(0.99, this.#spent(tracked) / whole) : 0)
  }

  get overall(): Overall {
    const phases = this.#phases.map((tracked) => ({
      phase: tracked.phase,
      state: tracked.state,
      seconds: tracked.began === null ? null : this.#spent(tracked),
    }))
    let all = 0
    let left = 0
    for (const tracked of this.#phases) {
      const whole = this.#whole(tracked)
      if (whole === null) return { phases, fraction: null, secondsLeft: null }
      all += whole
      left += whole * (1 - this.#doneOf(tracked, whole))
    }
    // A slower pace moves the end away; what was done stays done.
    if (all > 0) this.#fraction = Math.max(this.#fraction, 1 - left / all)
    return { phases, fraction: this.#fraction, secondsLeft: left }
  }
}

/** What of several items is done, the one that it is at included: by their sizes, where these are known. */
function shareOf(
  parts: { done: number; total: number },
  within: number,
  item: string | undefined,
  sizes: Record<string, number> | undefined,
): number {
  const names = Object.keys(sizes ?? {})
  const all = names.reduce((sum, name) => sum + sizes![name]!, 0)
  const at = item === undefined ? -1 : names.indexOf(item)
  if (names.length !== parts.total || at < 0 || all === 0) return (parts.done + within) / parts.total
  const before = names.slice(0, at).reduce((sum, name) => sum + sizes![name]!, 0)
  return (before + within * sizes![names[at]!]!) / all
}
