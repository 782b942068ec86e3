// npm run demo: prunes the sample that the repo ships to half of its heads and channels and lays it beside the dense model.
import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { makeReporter } from '../engine/entries/command-line/report.ts'
import { eventSchema, type ResultEvent } from '../engine/contract/index.ts'
import { macroAverage } from '../engine/evaluation/statistics.ts'
import { type SampleTask, sampleTaskFile, sampleTasks } from './sample-tasks.ts'

const root = join(import.meta.dirname, '..')
const sample = join(root, 'resources/sample')
const scoring = [
  ...sampleTasks.flatMap((name) => ['--task', `${name}=${sampleTaskFile(name)}`]),
  '--perplexity',
  `wikitext2=${join(sample, 'heldout.txt')}`,
  '--latency',
]
const run = join(root, 'runs', `demo-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}`)
const dense = join(sample, 'model')
const started = performance.now()

const number = (value: number) => value.toLocaleString('en-GB')
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
const percent = (value: number, error: number | null) =>
  `${(100 * value).toFixed(1)}${error === null ? '' : ` ± ${(100 * error).toFixed(1)}`} %`
const both = (value: (result: ResultEvent) => string) => [value(before), value(after)]

const before = await secateur('scoring the dense model', ['eval', dense, ...scoring])
const settings =
  '--ratio 0.5 --steps 300 --batch-size 8 --sequence-length 128 --seed 1 --rank 16 --alpha 32 --learning-rate 2e-3 --dropout 0'
const pruned = await secateur('pruning half of all heads and channels with LoRAPrune', [
  'prune',
  dense,
  '--data',
  join(sample, 'train.jsonl'),
  '--out',
  run,
  ...settings.split(' '),
])
const after = await secateur('scoring the pruned model', ['eval', join(run, 'output'), ...scoring])
printTable()

/** Runs the command line in a process of its own, so that its peak memory is its own, and shows its progress. */
async function secateur(title: string, args: string[]): Promise<ResultEvent> {
  console.error(`\n${title}`)
  const reporter = makeReporter({ json: false })
  const child = spawn(process.execPath, [join(root, 'scripts/secateur.mjs'), ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = new Promise<number | null>((resolve) => void child.on('close', resolve))
  let result: ResultEvent | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const event = eventSchema.parse(JSON.parse(line))
    if (event.type === 'result') result = event
    else if (event.type === 'error') console.error(`secateur: ${event.message}`)
    else reporter.event(event)
  }
  const code = await closed
  reporter.end()
  if (code !== 0 || !result) process.exit(code || 1)
  return result
}

function printTable(): void {
  const accuracy = (name: SampleTask) => both(({ tasks }) => percent(tasks![name]!.acc, tasks![name]!.stderr))
  const rows = [
    ['', 'dense', 'pruned'],
    ['parameters', number(pruned.parameters!.before), number(pruned.parameters!.after)],
    ['size on disk', megabytes(sizeOf(dense)), megabytes(sizeOf(join(run, 'output')))],
    ['perplexity, held-out text', ...both(({ perplexity }) => perplexity!['wikitext2']!.value.toFixed(3))],
    ...sampleTasks.map((name) => [name, ...accuracy(name)]),
    ['mean of the seven', ...both(({ tasks }) => percent(macroAverage(tasks!, 'acc'), null))],
    ['prompt, tokens/s', ...both(({ latency }) => number(Math.round(latency!.promptTokensPerSecond)))],
    ['generation, tokens/s', ...both(({ latency }) => number(Math.round(latency!.generatedTokensPerSecond)))],
    ['peak memory, scoring', ...both(({ peakMemoryBytes }) => megabytes(peakMemoryBytes!))],
  ]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)))
  console.log()
  for (const row of rows) {
    const [name, ...cells] = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!),
    )
    console.log([name, ...cells].join('   '))
  }
  console.log(`\npeak memory of the pruning run: ${megabytes(pruned.peakMemoryBytes!)}`)
  console.log(`the whole demo took ${Math.round((performance.now() - started) / 1000)} s`)
  console.log(`run folder: ${relative(process.cwd(), run)} (the smaller checkpoint is in its output/)`)
}

/** Bytes of the weights in a checkpoint folder. */
function sizeOf(folder: string): number {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.safetensors'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}
