import { join, relative } from 'node:path'
import type { ResultEvent } from '../../engine/contract/index.ts'
import { macroAverage } from '../../engine/evaluation/statistics.ts'
import { type SampleTask, sampleTaskFile, sampleTasks } from '../sample-tasks.ts'
import { megabytes, number, percent, printTable, root, runFolder, secateur, sizeOf } from './secateur.ts'

const sample = join(root, 'resources/sample')
const scoring = [
  ...sampleTasks.flatMap((name) => ['--task', `${name}=${sampleTaskFile(name)}`]),
  '--perplexity',
  `wikitext2=${join(sample, 'heldout.txt')}`,
  '--latency',
]
const settings =
  '--budget parameters=0.58 --uniform --distil 1 --steps 300 --batch-size 8 --sequence-length 128 --seed 1 --rank 16 --alpha 32 --learning-rate 2e-3 --dropout 0'

/** The language model of the sample, dense and pruned. */
export async function demo(): Promise<void> {
  const run = runFolder('demo')
  const dense = join(sample, 'model')
  const before = await secateur('scoring the dense model', ['eval', dense, ...scoring])
  const pruned = await secateur('pruning to 58 % of the parameters with LoRAPrune, taught by the dense model', [
    'prune',
    dense,
    '--data',
    join(sample, 'train.jsonl'),
    '--out',
    run,
    ...settings.split(' '),
  ])
  const after = await secateur('scoring the pruned model', ['eval', join(run, 'output'), ...scoring])
  const both = (value: (result: ResultEvent) => string) => [value(before), value(after)]
  const accuracy = (name: SampleTask) => both(({ tasks }) => percent(tasks![name]!.acc, tasks![name]!.stderr))
  printTable([
    ['', 'dense', 'pruned'],
    ['parameters', number(pruned.parameters!.before), number(pruned.parameters!.after)],
    ['size on disk', megabytes(sizeOf(dense)), megabytes(sizeOf(join(run, 'output')))],
    ['perplexity, held-out text', ...both(({ perplexity }) => perplexity!['wikitext2']!.value.toFixed(3))],
    ...sampleTasks.map((name) => [name, ...accuracy(name)]),
    ['mean of the seven', ...both(({ tasks }) => percent(macroAverage(tasks!, 'acc'), null))],
    ['prompt, tokens/s', ...both(({ latency }) => number(Math.round(latency!.promptTokensPerSecond)))],
    ['generation, tokens/s', ...both(({ latency }) => number(Math.round(latency!.generatedTokensPerSecond)))],
    ['peak memory, scoring', ...both(({ peakMemoryBytes }) => megabytes(peakMemoryBytes!))],
  ])
  console.log(`\npeak memory of the pruning run: ${megabytes(pruned.peakMemoryBytes!)}`)
  console.log(`run folder: ${relative(process.cwd(), run)} (the smaller checkpoint is in its output/)`)
}
