// npm run experiments:real -- --checkpoint FOLDER --texts FOLDER: what each criterion, and LoRAPrune healed by the dense model,
// leave of a real language model at 50 % and 20 % of its decoder's parameters, all trained on the same number of tokens.
// Leaves a sweep's folder; run again, it goes on where it was stopped. --settings only prints what its runs have that is not
// the default.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { experimentSettings } from './experiments-job.ts'
import { realFlags, realJob } from './experiments-real-job.ts'
import { scoreLongWindows } from './experiments-real-long.ts'
import { runSweep } from './run-sweep.ts'

const values = realFlags(process.argv.slice(2))
const job = realJob(values)
if (values.settings) process.stdout.write(`${experimentSettings(job)}\n`)
else
  await runSweep(job, async (signal) => {
    const table = await scoreLongWindows(job, Number(values['long-windows']), signal)
    writeFileSync(join(job.out, 'long-windows.md'), table)
  })
