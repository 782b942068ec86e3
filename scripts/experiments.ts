// npm run experiments: every criterion at 20 % and 50 %, healed and not, with three seeds, on the shipped sample or on
// another checkpoint; with --vision the paper's comparison on a classifier of images; with --recipes budgets and the dense
// model as the teacher. Leaves a sweep's folder with its
// report; run again, it goes on where it was stopped. --settings only prints, as docs/experiments.md has it, what the runs
// have that is not the default.
import { experimentFlags, experimentJob, experimentSettings } from './experiments-job.ts'
import { runSweep } from './run-sweep.ts'

const values = experimentFlags(process.argv.slice(2))
const job = experimentJob(values)
if (values.settings) process.stdout.write(`${experimentSettings(job)}\n`)
else await runSweep(job)
