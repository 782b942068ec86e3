// npm run bench:app: 10,000 runs, six of them with 1,000,000 steps, asked for as the screens of the app do.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import type { Method, Request } from '../../electron/contract/index.ts'
import { databaseName } from '../../electron/database/open.ts'
import { openServices } from '../../electron/services/index.ts'
import { serviceOptions } from '../unit/electron/services.ts'
import { fillWithRuns } from './many-runs.ts'

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    steps: { type: 'string', default: '1000000' },
    long: { type: 'string', default: '6' },
    repeats: { type: 'string', default: '9' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'secateur-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const show = (milliseconds: number) => `${milliseconds.toFixed(1).padStart(7)} ms`
const seconds = (since: number) => ((performance.now() - since) / 1000).toFixed(1)
let started = performance.now()
const ids = fillWithRuns(folder, {
  runs: Number(options.runs),
  long: Number(options.long),
  steps: Number(options.steps),
})
const megabytes = Math.round(statSync(join(folder, databaseName)).size / 1e6)
console.log(
  `${options.runs} runs, ${ids.length} of ${options.steps} steps: ${megabytes} MB, made in ${seconds(started)} s`,
)

started = performance.now()
const services = await openServices(serviceOptions(folder))
console.log(`opened in ${seconds(started)} s`)

const columns = ['created', 'checkpoint', 'duration', 'setting.ratio', 'setting.learningRate', 'metric.boolq.acc']
const newest = ids.at(-1)!
await measure('history.query, newest first', 'history.query', { columns })
await measure('history.query, by perplexity', 'history.query', {
  columns,
  sort: { column: 'metric.perplexity.wikitext2', descending: false },
})
await measure('history.query, row 9900 on', 'history.query', { columns, offset: 9900 })
await measure('history.query, search', 'history.query', { columns, search: 'paper alpaca' })
await measure('history.table, sweeps folded', 'history.table', { columns, limit: 200 })
await measure('history.table, folded, by accuracy', 'history.table', {
  columns,
  limit: 200,
  sort: { column: 'metric.meanAccuracy', descending: true },
})
await measure('history.table, by ratio, with means', 'history.table', {
  columns: [...columns, 'metric.meanAccuracy', 'metric.perplexity.wikitext2'],
  group: 'setting.ratio',
  limit: 200,
})
await measure('history.table, ratio > 0.3, tagged', 'history.table', {
  columns,
  where: [
    { column: 'setting.ratio', op: '>', value: 0.3 },
    { column: 'tags', op: '=', value: 'paper' },
  ],
})
await measure('history.columns', 'history.columns', undefined)
await measure('runs.get of a long run', 'runs.get', { id: newest })
await measure('runs.series of a long run', 'runs.series', { id: newest, points: 1000 })
await measure('runs.series, zoomed in', 'runs.series', { id: newest, points: 1000, from: 500_000, to: 540_000 })
await measure('compare.get of the long runs', 'compare.get', { ids })
await measure('compare.scatter of all runs', 'compare.scatter', {
  x: 'metric.parametersAfter',
  y: 'metric.perplexity.wikitext2',
})
await measure('history.export of all runs as CSV', 'history.export', { columns, format: 'csv' })
await services.close()

/** Prints the median and the longest time, and for how long nothing else was answered. */
async function measure<M extends Method>(title: string, method: M, input: Request<M>): Promise<void> {
  const times: number[] = []
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  for (let repeat = 0; repeat < Number(options.repeats); repeat++) {
    const since = performance.now()
    const answer = await services.call(method, input)
    times.push(performance.now() - since)
    if ('problem' in answer) throw new Error(`${method}: ${answer.problem.message}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  delay.disable()
  times.sort((a, b) => a - b)
  const median = times[times.length >> 1]!
  console.log(
    `${title.padEnd(36)} median ${show(median)}  longest ${show(times.at(-1)!)}  blocked ${show(delay.max / 1e6)}`,
  )
}
