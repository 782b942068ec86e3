import { availableParallelism } from 'node:os'
import type { ResultEvent } from '../../contract/index.ts'
import { runInChild } from '../../runs/child-run.ts'
import { SecateurError } from '../../shared/errors.ts'
import { denseFolderOf, isStarted, resultIn } from '../sweep-folder.ts'
import type { SweepListener, SweepRunner, SweepTask, SweepWork } from './runner.ts'

/** Runs on this computer: each in a process of its own, as many at a time as the sweep says, the dense checkpoint first. */
export const localRunner: SweepRunner = {
  async work(work, listener, signal) {
    if (work.dense) await finish(work.dense, undefined, listener, signal)
    const dense = work.dense ? denseFolderOf(work.folder) : undefined
    const queue = work.runs.map((task) => withThreads(task, work.sweep.parallel))
    const worker = async () => {
      for (let task = queue.shift(); task; task = queue.shift()) await tryToFinish(task, dense, listener, signal)
    }
    const workers = await Promise.allSettled(Array.from({ length: work.sweep.parallel }, worker))
    for (const one of workers) if (one.status === 'rejected') throw one.reason
  },
}

/** Runs beside others have a share of the threads, unless their settings say how many they take. */
function withThreads(task: SweepTask, parallel: SweepWork['sweep']['parallel']): SweepTask {
  if (parallel === 1 || task.job.threads !== undefined) return task
  const threads = Math.max(1, Math.floor(availableParallelism() / parallel))
  return { ...task, job: { ...task.job, threads } }
}

async function tryToFinish(
  task: SweepTask,
  dense: string | undefined,
  listener: SweepListener,
  signal: AbortSignal,
): Promise<void> {
  try {
    await finish(task, dense, listener, signal)
  } catch (error) {
    // A run that cannot be done is told of in the report; the others go on. A stop ends them all.
    if (signal.aborted || !(error instanceof SecateurError) || error.kind === 'interrupted') throw error
    listener.failed(task, error)
  }
}

/** Tells the result of a task: of an earlier attempt at the sweep, or of a process that starts or continues it. */
async function finish(
  task: SweepTask,
  dense: string | undefined,
  listener: SweepListener,
  signal: AbortSignal,
): Promise<void> {
  listener.began(task)
  signal.throwIfAborted()
  const earlier = resultIn(task.job.out)
  const resume = isStarted(task.job.out)
  const result = earlier ?? (await runTask(task, resume, dense, listener, signal))
  listener.ended(task, result, earlier === null && !resume)
}

async function runTask(
  task: SweepTask,
  resume: boolean,
  dense: string | undefined,
  listener: SweepListener,
  signal: AbortSignal,
): Promise<ResultEvent> {
  const { name, job } = task
  listener.note(`${resume ? 'continuing' : 'running'} ${name}`, 'info')
  return await runInChild({ job, resume, dense }, signal, (event) => listener.heard(task, event))
}
