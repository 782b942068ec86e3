// npm run experiments: every criterion at 20 % and 50 %, healed and not, with three seeds, on the shipped sample or on
// another checkpoint; with --vision the paper's comparison on a classifier of images. Leaves a sweep's folder with its
// report; run again, it goes on where it was stopped. --settings only prints, as docs/experiments.md has it, what the runs
// have that is not the default.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { makeReporter } from '../engine/entries/command-line/report.ts'
import { sweep } from '../engine/jobs/sweep.ts'
import { experimentFlags, experimentJob, experimentSettings } from './experiments-job.ts'

const values = experimentFlags(process.argv.slice(2))
const job = experimentJob(values)
if (values.settings) process.stdout.write(`${experimentSettings(job)}\n`)
else await run()

async function run(): Promise<void> {
  const reporter = makeReporter({ json: false })
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort())
  try {
    const resume = existsSync(join(job.out, 'run.json'))
    const result = await sweep(job, { emit: (event) => reporter.event(event), signal: controller.signal, resume })
    reporter.finish(result)
  } catch (error) {
    process.exitCode = reporter.fail(error)
  }
}
