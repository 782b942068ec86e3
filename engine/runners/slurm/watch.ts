import { setTimeout } from 'node:timers/promises'
import type { QueuedTask, ResultEvent } from '../../contract/index.ts'
import { SecateurError } from '../../shared/errors.ts'
import { resultIn } from '../../runs/run-files.ts'
import { keyOf, type RunnerListener, type RunnerTask, type RunnerWork, tasksOf } from '../runner.ts'
import { forgetQueue, keepQueue, type Submissions, taskIdsOf } from './cluster-folder.ts'
import { failureOfTask } from './failure.ts'
import { readQueue } from './queue.ts'

/** Milliseconds between two looks at the run folders. */
const period = 1000
/** Milliseconds between two questions to the scheduler: seldom, where a sweep takes hours. */
const questionPeriod = (watched: number) => Math.min(15_000, 1500 + watched / 20)

interface Open {
  task: RunnerTask
  id: string | undefined
  /** Whether it had a result when it was first looked at. */
  wasOver: boolean
  hasBegun: boolean
  /** Since when the queue does not have it; null while it does. */
  gone: number | null
}

/**
 * Follows tasks until every one has ended or failed.
 *
 * @throws what the signal was aborted with
 */
export async function watch(
  work: RunnerWork,
  known: Submissions,
  listener: RunnerListener,
  signal: AbortSignal,
): Promise<void> {
  const ids = taskIdsOf(known)
  const open = new Set(
    tasksOf(work).map((task): Open => {
      const wasOver = resultIn(task.job.out) !== null
      return { task, id: ids.get(keyOf(task)), wasOver, hasBegun: false, gone: null }
    }),
  )
  const scheduler = new Scheduler(work.folder, known, listener)
  listener.handedOver()
  while (open.size > 0) {
    signal.throwIfAborted()
    await scheduler.ask(open)
    for (const one of open) if (await isOver(one, work, scheduler, listener)) open.delete(one)
    if (open.size > 0) await setTimeout(period, undefined, { signal })
  }
  forgetQueue(work.folder)
}

/** Tells what has happened to a task; true once it has ended or failed. */
async function isOver(one: Open, work: RunnerWork, scheduler: Scheduler, listener: RunnerListener): Promise<boolean> {
  const { task, id } = one
  const queued = id === undefined ? undefined : scheduler.queue.get(id)
  const result = resultIn(task.job.out)
  if (!one.hasBegun && (result || queued?.state === 'RUNNING')) {
    one.hasBegun = true
    // Nobody saw it begin: the time until it ended is not its own.
    one.wasOver ||= result !== null
    listener.began(task)
  }
  if (result) return endedWith(result, one, queued, work, listener)
  if (queued || !scheduler.answers) {
    one.gone = null
    return false
  }
  one.gone ??= Date.now()
  const failure = await failureOfTask(work.folder, keyOf(task), id, Date.now() - one.gone)
  if (failure === null) return false
  if (!one.hasBegun) listener.began(task)
  listener.failed(task, failure)
  return true
}

/** A task whose process still tidies up is over a moment later. */
function endedWith(
  result: ResultEvent,
  { task, wasOver }: Open,
  queued: QueuedTask | undefined,
  work: RunnerWork,
  listener: RunnerListener,
): boolean {
  if (queued && !work.isSettled(task, result)) return false
  listener.ended(task, result, !wasOver)
  return true
}

/** What the scheduler said last, asked now and then; it may be away for a while. */
class Scheduler {
  queue: ReadonlyMap<string, QueuedTask> = new Map()
  /** Whether it answered when it was last asked. */
  answers = false
  readonly #folder: string
  readonly #names: string[]
  readonly #listener: RunnerListener
  readonly #started = Date.now()
  #asked = 0
  #question: Promise<void> | null = null
  #error: unknown = null
  #isAway = false
  #answered: string | null = null
  #told = ''

  constructor(folder: string, { submissions }: Submissions, listener: RunnerListener) {
    this.#folder = folder
    this.#names = submissions.map(({ name }) => name)
    this.#listener = listener
  }

  /** Asks if it is time, and does not wait for the answer, which may take long; the very first time it does. */
  async ask(open: ReadonlySet<Open>): Promise<void> {
    if (this.#error !== null) throw this.#error
    const now = Date.now()
    if (this.#question || now - this.#asked < questionPeriod(now - this.#started)) return
    const isFirst = this.#asked === 0
    this.#asked = now
    this.#question = this.#read(open)
      .catch((error: unknown) => void (this.#error = error))
      .finally(() => (this.#question = null))
    if (isFirst) await this.#question
  }

  async #read(open: ReadonlySet<Open>): Promise<void> {
    try {
      this.queue = await readQueue(this.#names)
      this.answers = true
      this.#answered = new Date().toISOString()
      this.#keep(open, null)
      if (this.#isAway) this.#listener.note('the scheduler answers again', 'info')
      this.#isAway = false
      this.#tell(open)
    } catch (error) {
      if (!(error instanceof SecateurError)) throw error
      this.answers = false
      this.#keep(open, error.message)
      if (!this.#isAway)
        this.#listener.note(
          `the scheduler does not answer, and runs are watched by their folders: ${error.message}`,
          'warning',
        )
      this.#isAway = true
    }
  }

  #keep(open: ReadonlySet<Open>, problem: string | null): void {
    const tasks = [...open].flatMap(({ task, id }) => {
      const queued = id === undefined ? undefined : this.queue.get(id)
      return queued ? [[keyOf(task), queued] as const] : []
    })
    keepQueue(this.#folder, { answered: this.#answered, problem, tasks: Object.fromEntries(tasks) })
  }

  /** How many run and wait, and for what: whenever something else is waited for, or nothing any more. */
  #tell(open: ReadonlySet<Open>): void {
    const tasks = [...open].flatMap(({ id }) => (id === undefined ? [] : (this.queue.get(id) ?? [])))
    const words = queueText(tasks)
    const kinds = words.replaceAll(/\d+/g, '')
    if (kinds === this.#told || words === '') return
    this.#told = kinds
    this.#listener.note(`on the cluster: ${words}`, tasks.some(isHeld) ? 'warning' : 'info')
  }
}

/** A task that waits for a person, not for the cluster. */
const isHeld = ({ state, reason }: QueuedTask): boolean =>
  /HOLD|SPECIAL_EXIT/.test(state) || /held|DependencyNeverSatisfied|BadConstraints|Held/.test(reason)

/** As `2 running, 3 waiting (Resources), 1 held (launch failed requeued held): release it with scontrol release 17_3`. */
export function queueText(tasks: readonly QueuedTask[]): string {
  const counts = new Map<string, number>()
  for (const task of tasks) {
    const isAtWork = !['PENDING', 'REQUEUED'].includes(task.state) && !isHeld(task)
    const kind = isHeld(task)
      ? `held (${task.reason}; scontrol release ${task.id} frees it, --cancel ends it)`
      : isAtWork
        ? task.state.toLowerCase()
        : `waiting (${task.reason})`
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')
}
