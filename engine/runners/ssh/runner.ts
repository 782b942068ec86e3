import { setTimeout } from 'node:timers/promises'
import type { ClusterSettings } from '../../contract/index.ts'
import { errorOf, SecateurError } from '../../shared/errors.ts'
import { resultIn } from '../../runs/run-files.ts'
import {
  keyOf,
  placeOf,
  type Runner,
  type RunnerListener,
  type RunnerTask,
  type RunnerWork,
  tasksOf,
} from '../runner.ts'
import { forgetQueue, keepQueue, readSubmissions, type Submission, writeSubmissions } from '../slurm/cluster-folder.ts'
import { leftAlone } from '../slurm/runner.ts'
import { ConnectionLost, Relay } from './connection.ts'
import type { Frame } from './frames.ts'
import type { Login } from './login.ts'
import type { RelayMessage } from './messages.ts'
import { Mirror } from './mirror.ts'
import { jobThere } from './job-there.ts'

/** Milliseconds until a connection that was lost is tried again: twice as many after each failure, up to a minute. */
const firstPause = 1000
const longestPause = 60_000

/**
 * Runs by the Slurm of a cluster that this computer reaches with ssh alone. The folder of the whole there is the truth, and
 * Secateur there submits and watches; the folder here is a copy of what is small, from which everything else reads.
 */
export const sshRunner = (cluster: ClusterSettings, login: Login): Runner => ({
  async work(work, listener, signal) {
    const follower = new Follower(work, cluster, login, listener)
    try {
      await follower.submit(signal)
      if (cluster.watch) return await follower.follow(signal)
    } catch (error) {
      if (signal.aborted) throw new SecateurError('interrupted', follower.leftAlone, { cause: error })
      throw error
    }
    throw new SecateurError('interrupted', follower.leftAlone)
  },
})

class Follower {
  readonly #work: RunnerWork
  readonly #cluster: ClusterSettings
  readonly #login: Login
  readonly #listener: RunnerListener
  readonly #mirror: Mirror
  readonly #tasks: ReadonlyMap<string, RunnerTask>
  readonly #begun = new Set<string>()
  readonly #over = new Set<string>()
  #submissions: Submission[]
  #relay: Relay | null = null

  constructor(work: RunnerWork, cluster: ClusterSettings, login: Login, listener: RunnerListener) {
    this.#work = work
    this.#cluster = cluster
    this.#login = login
    this.#listener = listener
    this.#tasks = new Map(tasksOf(work).map((task) => [keyOf(task), task]))
    const places = tasksOf(work).map((task) => placeOf(work, task))
    this.#mirror = new Mirror(work.folder, places, cluster.fetchOutputs)
    // Where the sweep is to be asked for is known here even if the cluster never answers.
    this.#submissions = readSubmissions(work.folder)?.submissions ?? []
    this.#keepSubmissions(this.#submissions)
  }

  get leftAlone(): string {
    return leftAlone({ submissions: this.#submissions }, ` on ${this.#login.destination}`)
  }

  /** Hands over what is missing; the connection stays for what follows. */
  async submit(signal: AbortSignal): Promise<void> {
    const { job, resume } = this.#work
    const relay = await Relay.open(this.#login, signal)
    this.#relay = relay
    try {
      await relay.ask({ ask: 'submit', job: jobThere(job, this.#cluster, this.#login), resume }, this.#hear)
    } catch (error) {
      relay[Symbol.dispose]()
      if (!(error instanceof ConnectionLost)) throw error
      throw new SecateurError(
        'unsupported',
        `${error.message}. What was submitted by then goes on: --resume watches it and submits the rest`,
        { cause: error },
      )
    }
    this.#listener.handedOver()
    if (!this.#cluster.watch) relay[Symbol.dispose]()
  }

  /** Copies what is new until every task has ended or failed; goes on where a connection was lost. */
  async follow(signal: AbortSignal): Promise<void> {
    let told: string | null = null
    for (let pause = firstPause; ; pause = Math.min(2 * pause, longestPause)) {
      try {
        using relay = this.#relay ?? (await Relay.open(this.#login, signal))
        this.#relay = null
        if (told !== null) this.#listener.note(`${this.#login.destination} answers again`, 'info')
        told = null
        await relay.ask(
          {
            ask: 'follow',
            folder: this.#login.remote,
            fetchOutputs: this.#cluster.fetchOutputs,
            held: this.#mirror.held(),
          },
          (frame) => {
            pause = firstPause
            this.#hear(frame)
          },
        )
        return forgetQueue(this.#work.folder)
      } catch (error) {
        if (signal.aborted || !isPassing(error, told !== null)) throw error
        if (error.message !== told)
          this.#listener.note(
            `${error.message}; the runs go on there, and it is tried again until it answers`,
            'warning',
          )
        told = error.message
        keepQueue(this.#work.folder, { answered: null, problem: told, tasks: {} })
        await setTimeout(pause, undefined, { signal })
      }
    }
  }

  readonly #hear = ({ message, bytes }: Frame): void => {
    switch (message.type) {
      case 'note':
        return this.#listener.note(message.message, message.level)
      case 'submissions':
        return this.#keepSubmissions(message.submissions)
      case 'queue':
        // Of clocks that differ, only this one says how old the answer is.
        return keepQueue(this.#work.folder, {
          ...message.queue,
          answered: message.queue.answered && new Date().toISOString(),
        })
      case 'file':
        return this.#mirror.take(message, bytes)
      case 'gone':
        return this.#mirror.drop(message.path)
      case 'began':
        return this.#begin(this.#taskOf(message))
      case 'ended':
        return this.#end(message)
      case 'failed':
        return this.#fail(message)
      default:
        throw new SecateurError(
          'unsupported',
          `${this.#login.destination} says what was not asked for: ${message.type}`,
        )
    }
  }

  /** Tasks are told of again with every connection. */
  #begin(task: RunnerTask): void {
    if (this.#begun.has(task.name)) return
    this.#begun.add(task.name)
    this.#listener.began(task)
  }

  #end(message: Extract<RelayMessage, { type: 'ended' }>): void {
    const task = this.#taskOf(message)
    if (this.#over.has(task.name)) return
    this.#mirror.finish(placeOf(this.#work, task))
    const result = resultIn(task.job.out)
    if (!result)
      throw new SecateurError(
        'unsupported',
        `${this.#login.destination} says that ${task.name} is done, and sends no result of it`,
      )
    this.#begin(task)
    this.#over.add(task.name)
    this.#listener.ended(task, result, message.isWhole)
  }

  #fail(message: Extract<RelayMessage, { type: 'failed' }>): void {
    const task = this.#taskOf(message)
    if (this.#over.has(task.name)) return
    this.#begin(task)
    this.#over.add(task.name)
    this.#listener.failed(task, errorOf(message.error))
  }

  #taskOf({ name }: { name: string }): RunnerTask {
    const task = this.#tasks.get(name)
    if (task) return task
    throw new SecateurError('unsupported', `${this.#login.destination} tells of ${name}, which is no task of this work`)
  }

  #keepSubmissions(submissions: Submission[]): void {
    this.#submissions = submissions
    writeSubmissions(this.#work.folder, { version: 1, cluster: this.#cluster, submissions })
  }
}

/** Whether the next attempt may fare better. Once a sweep is followed, a login node that refuses may be one that starts. */
const isPassing = (error: unknown, wasLost: boolean): error is Error =>
  error instanceof ConnectionLost || (wasLost && error instanceof SecateurError && error.kind === 'unsupported')
