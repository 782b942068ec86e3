import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { SweepJob } from '../engine/contract/index.ts'
import { makeReporter } from '../engine/entries/command-line/report.ts'
import { sweep } from '../engine/jobs/sweep.ts'

/**
 * Runs a sweep, or goes on with one that was stopped, and tells of it on the terminal. Ctrl-C stops it with its state saved.
 *
 * @param more what belongs to the same work and is done once the sweep is over
 */
export async function runSweep(job: SweepJob, more?: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const reporter = makeReporter({ json: false })
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort())
  try {
    const resume = existsSync(join(job.out, 'run.json'))
    const result = await sweep(job, { emit: (event) => reporter.event(event), signal: controller.signal, resume })
    await more?.(controller.signal)
    reporter.finish(result)
  } catch (error) {
    process.exitCode = reporter.fail(error)
  }
}
