import { availableParallelism } from 'node:os'
import type { ResultEvent } from '../contract/index.ts'
import { runInChild } from '../runs/child-run.ts'
import { continuedJob, isStarted, resultIn } from '../runs/run-files.ts'
import { SecateurError } from '../shared/errors.ts'
import type { Runner, RunnerListener, RunnerStage, RunnerTask, RunnerWork } from './runner.ts'

/** Tasks on this computer: each in a process of its own, as many at a time as is said, one stage after the other. */
export const localRunner: Runner = {
  async work(work, listener, signal) {
    for (const stage of work.stages) await finishStage(stage, work, listener, signal)
  },
}

async function finishStage(
  { tasks, isNeeded }: RunnerStage,
  { parallel }: RunnerWork,
  listener: RunnerListener,
  signal: AbortSignal,
): Promise<void> {
  const atOnce = Math.min(parallel, tasks.length)
  const queue = tasks.map((task) => withThreads(task, atOnce))
  const worker = async () => {
    for (let task = queue.shift(); task; task = queue.shift())
      await (isNeeded ? finish(task, listener, signal) : tryToFinish(task, listener, signal))
  }
  const workers = await Promise.allSettled(Array.from({ length: atOnce }, worker))
  for (const one of workers) if (one.status === 'rejected') throw one.reason
}

/**
 * Tasks beside others have a share of the threads, unless their settings say how many they take. One that goes on keeps those
 * that it was started with: what it computes depends on them.
 */
export function withThreads(task: RunnerTask, atOnce: number): RunnerTask {
  const { job } = task
  if (job.threads !== undefined) return task
  const earlier = continuedJob(job.out, job.kind)
  if (earlier) return { ...task, job: { ...job, threads: earlier.threads } }
  if (atOnce === 1) return task
  return { ...task, job: { ...job, threads: Math.max(1, Math.floor(availableParallelism() / atOnce)) } }
}

async function tryToFinish(task: RunnerTask, listener: RunnerListener, signal: AbortSignal): Promise<void> {
  try {
    await finish(task, listener, signal)
  } catch (error) {
    // A task that cannot be done is told of in the end; the others go on. A stop ends them all.
    if (signal.aborted || !(error instanceof SecateurError) || error.kind === 'interrupted') throw error
    listener.failed(task, error)
  }
}

/** Tells the result of a task: of an earlier attempt, or of a process that starts or continues it. */
async function finish(task: RunnerTask, listener: RunnerListener, signal: AbortSignal): Promise<void> {
  listener.began(task)
  signal.throwIfAborted()
  const earlier = resultIn(task.job.out)
  const resume = isStarted(task.job.out)
  const result = earlier ?? (await runTask(task, resume, listener, signal))
  listener.ended(task, result, earlier === null && !resume)
}

async function runTask(
  task: RunnerTask,
  resume: boolean,
  listener: RunnerListener,
  signal: AbortSignal,
): Promise<ResultEvent> {
  const { name, job, dense } = task
  listener.note(`${resume ? 'continuing' : 'running'} ${name}`, 'info')
  return await runInChild({ job, resume, dense }, signal, (event) => listener.heard(task, event))
}
