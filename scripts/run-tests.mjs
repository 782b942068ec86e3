// Runs files of node:test in the order of its arguments, one more at a time than there are cores, since some of them wait for
// other programs most of the time: `node --test` sorts them, and leaves a core idle. Words that begin with a dash go to every
// file's process.
import { createWriteStream } from 'node:fs'
import { availableParallelism } from 'node:os'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import testResults from './test-results.mjs'

const words = process.argv.slice(2)
const stop = new AbortController()
const tests = run({
  files: words.filter((word) => !word.startsWith('-')),
  execArgv: words.filter((word) => word.startsWith('-')),
  concurrency: 1 + Math.max(2, availableParallelism()),
  signal: stop.signal,
})
tests.on('test:fail', () => (process.exitCode = 1))
tests.compose(spec).pipe(process.stdout)
const results = process.env['SECATEUR_TEST_RESULTS']
if (results) tests.compose(testResults).pipe(createWriteStream(results))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())
