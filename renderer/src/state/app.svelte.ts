import type { AppInfo, BackgroundTask, RunSummary, Settings } from '../../../electron/contract/index.ts'
import { asProblem, call, connection, onEvent } from '../client/index.ts'
import { activeStates } from '../names.ts'
import { theme } from '../theme.svelte.ts'
import { toasts } from './toasts.svelte.ts'

/** What every screen may need: facts of the app, settings, runs under way, and work in the background. */
class AppState {
  info = $state.raw<AppInfo>()
  settings = $state.raw<Settings>()
  /** Queued and running, in the order of the queue. */
  activeRuns = $state.raw<RunSummary[]>([])
  /** Copying, hashing, exporting: those under way, and those that ended while this page was open. */
  tasks = $state.raw<BackgroundTask[]>([])
  readonly runningTasks = $derived(this.tasks.filter(({ state }) => state === 'running'))

  /** Saves settings; the screen shows them at once, and the old ones again where they are refused. */
  async changeSettings(changes: Partial<Settings>): Promise<void> {
    const before = this.settings
    if (before) this.#take({ ...before, ...changes })
    try {
      this.#take(await call('settings.set', changes))
    } catch (error) {
      if (before) this.#take(before)
      throw error
    }
  }

  /** Listens and reads; called once. */
  start() {
    onEvent('settings', (settings) => this.#take(settings))
    onEvent('run', (run) => this.#run(run))
    onEvent('runsChanged', () => void this.#readRuns())
    onEvent('task', (task) => this.#task(task))
    onEvent('notice', ({ level, message }) => toasts.show({ message, level }))
    $effect.root(() => {
      $effect(() => {
        if (connection.epoch > 0) void this.#readAll()
      })
    })
  }

  async #readAll() {
    try {
      const [info, settings, tasks] = await Promise.all([call('app.info'), call('settings.get'), call('tasks.list')])
      this.info = info
      this.tasks = tasks
      this.#take(settings)
      await this.#readRuns()
    } catch (error) {
      const problem = asProblem(error)
      if (problem.kind !== 'disconnected') toasts.problem(problem)
    }
  }

  async #readRuns() {
    // Where the connection is lost meanwhile, all is read again once it is back.
    this.activeRuns = await call('runs.active').catch(() => this.activeRuns)
  }

  #take(settings: Settings) {
    this.settings = settings
    if (settings.theme !== theme.chosen) theme.choose(settings.theme)
  }

  #run(run: RunSummary) {
    const active = activeStates.includes(run.state)
    const known = this.activeRuns.some(({ id }) => id === run.id)
    if (active && known) this.activeRuns = this.activeRuns.map((old) => (old.id === run.id ? run : old))
    else if (active) this.activeRuns = [...this.activeRuns, run]
    else if (known) this.activeRuns = this.activeRuns.filter(({ id }) => id !== run.id)
  }

  #task(task: BackgroundTask) {
    const known = this.tasks.some(({ id }) => id === task.id)
    this.tasks = known ? this.tasks.map((old) => (old.id === task.id ? task : old)) : [...this.tasks, task]
    // Where tokens are counted, the page says what went wrong.
    if (task.state === 'failed' && task.kind !== 'count') {
      toasts.show({ level: 'error', message: `${task.title}: ${task.problem ?? 'failed'}` })
    }
  }
}

export const app = new AppState()
