// Runs the test files that its arguments name in this very process, one after the other in their order: `node --test` would
// sort them.
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

run({ files: process.argv.slice(2), isolation: 'none' })
  .on('test:fail', () => (process.exitCode = 1))
  .compose(spec)
  .pipe(process.stdout)
