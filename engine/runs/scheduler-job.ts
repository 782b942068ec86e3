import { execFileSync } from 'node:child_process'

/** States of a job of Slurm whose processes are gone, or on a node that is. */
const over = /^(COMPLETED|CANCELLED|FAILED|TIMEOUT|NODE_FAIL|OUT_OF_MEMORY|BOOT_FAIL|DEADLINE|PREEMPTED)/

/** A field of a line of `scontrol --oneliner show job`. */
export const jobField = (text: string, name: string): string | undefined =>
  new RegExp(`(?:^|\\s)${name}=(\\S*)`).exec(text)?.[1]

/** Whether Slurm says of a job that it has forgotten it, or never had it. */
export const saysUnknownJob = (words: string): boolean => /Invalid job id/i.test(words)

/** The task of Slurm that this process belongs to, as `17_3`, or a job that is no array; null outside of Slurm. */
export function schedulerJob(environment: NodeJS.ProcessEnv = process.env): string | null {
  const { SLURM_ARRAY_JOB_ID: array, SLURM_ARRAY_TASK_ID: task, SLURM_JOB_ID: job } = environment
  const id = array && task ? `${array}_${task}` : job
  return id !== undefined && /^\d+(_\d+)?$/.test(id) ? id : null
}

/**
 * Whether Slurm says that a start of a job is over which wrote a lock on another computer. It starts a task again only once
 * the start before has ended or its node was given up: so this very task, started again, is proof enough.
 */
export function schedulerSaysOver(job: string): boolean {
  if (!/^\d+(_\d+)?$/.test(job)) return false
  if (job === schedulerJob()) return true
  try {
    const text = execFileSync('scontrol', ['--oneliner', 'show', 'job', job], {
      encoding: 'utf8',
      timeout: 30_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return over.test(jobField(text, 'JobState') ?? '')
  } catch (error) {
    // A job that is over is forgotten after some minutes. A scheduler that does not answer says nothing.
    return saysUnknownJob((error as { stderr?: string }).stderr ?? '')
  }
}
