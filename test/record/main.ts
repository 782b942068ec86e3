// npm run record: keeps what runs write, so that a refactoring can be shown to change none of it.
import { parseArgs } from 'node:util'
import { compareRecords } from './compare.ts'
import { record } from './record.ts'

const usage = `Usage:
  npm run record -- FOLDER [--engine CHECKOUT] [--only TEXT] [--parallel NUMBER]
  npm run record -- --compare A B

The first runs every case on the engine of a checkout (default: this one) and writes a subfolder of FOLDER for each case.
  --only      record only the cases whose names contain this text
  --parallel  cases that run at a time, default 2
The second compares two such folders: exit code 0 where they are equal, 1 where they differ.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engine: { type: 'string' },
    only: { type: 'string', default: '' },
    parallel: { type: 'string', default: '2' },
    compare: { type: 'boolean', default: false },
  },
})
const [first, second] = positionals
const parallel = Number(values.parallel)
if (!first || positionals.length > (values.compare ? 2 : 1) || (values.compare && !second) || !(parallel >= 1)) {
  console.error(usage)
  process.exit(2)
}
const passed = values.compare
  ? compareRecords(first, second!)
  : await record(first, { engine: values.engine, only: values.only, parallel })
process.exit(passed ? 0 : 1)
