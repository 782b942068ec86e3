// Tokens that are generated in a second, and tokens of a prompt that are read, beside llama.cpp on the same file, turn by turn on
// the same threads.
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import environment from '../../resources/engine-environment.json' with { type: 'json' }
import { runJob } from '../../engine/jobs/index.ts'
import { exportSchema } from '../../engine/contract/index.ts'
import { findLlamaCpp } from '../../engine/llama-cpp/installed.ts'
import { type SizeName, writeRandomCheckpoint } from './memory/models.ts'
import { llamaCppOfJudges } from './peers.ts'
import { type Answer, median, start, takeTurns } from './workers.ts'

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: 'sample,125M' },
    repeats: { type: 'string', default: '5' },
    prompt: { type: 'string', default: '128' },
    tokens: { type: 'string', default: '32' },
    threads: { type: 'string', default: String(availableParallelism()) },
    /** A folder in which node-llama-cpp is installed, which is no dependency of Secateur's; that of the judges unless given. */
    'llama-cpp': { type: 'string' },
    /** Another checkout of Secateur, to compare with. */
    before: { type: 'string' },
  },
})
const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'secateur-generation-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const llamaCpp = llamaCppOfJudges(values['llama-cpp'])

console.log(
  `${values.threads} threads, a prompt of ${values.prompt} tokens and ${values.tokens} after it, median of ${values.repeats}\n`,
)
const columns = [
  'model',
  'program',
  'generated tokens/s',
  'processor, ms a token',
  'prompt tokens/s',
  'peak memory, MB',
]
console.log(`| ${columns.join(' | ')} |\n|${' --- |'.repeat(columns.length)}`)
for (const model of values.models.split(',')) await measure(model)

async function measure(model: string): Promise<void> {
  const checkpoint = await checkpointOf(model)
  const work = ['--prompt', values.prompt, '--tokens', values.tokens, '--threads', values.threads]
  const engine = (name: string, of: string, more: string[] = []) =>
    start(
      name,
      process.execPath,
      [join(import.meta.dirname, 'generation-worker.ts'), '--checkpoint', checkpoint, '--engine', of, ...work, ...more],
      environment,
    )
  const workers = [await engine('Secateur', root), await engine('Secateur, 8 bits', root, ['--int8'])]
  if (values.before) workers.push(await engine('Secateur before', resolve(values.before)))
  const file = await ggufOf(checkpoint, model)
  if (!('missing' in findLlamaCpp())) {
    const args = [join(import.meta.dirname, 'runner-worker.ts'), '--file', file, ...work]
    workers.push(await start('Secateur on llama.cpp', process.execPath, args, environment))
  }
  if (llamaCpp) {
    const args = ['--file', file, '--folder', llamaCpp, ...work]
    workers.push(
      await start('node-llama-cpp', process.execPath, [join(import.meta.dirname, 'llama-worker.ts'), ...args], {}),
    )
  }
  for (const [name, answers] of await takeTurns(workers, Number(values.repeats))) report(model, name, answers)
}

function report(model: string, name: string, answers: readonly Answer[]): void {
  const of = (value: (answer: Answer) => number) => median(answers.map(value))
  const cells = [
    model,
    name,
    of(({ tokens, seconds }) => tokens / seconds).toFixed(1),
    cpuOf(answers),
    of(({ promptSeconds }) => Number(values.prompt) / (promptSeconds ?? NaN)).toFixed(0),
    (of(({ peakBytes }) => peakBytes) / 1e6).toFixed(0),
  ]
  console.log(`| ${cells.join(' | ')} |`)
}

/** Milliseconds of the processors a token; a process that has another one generate does not tell. */
function cpuOf(answers: readonly Answer[]): string {
  const each = answers.flatMap(({ tokens, cpuSeconds }) =>
    cpuSeconds === undefined ? [] : (1000 * cpuSeconds) / tokens,
  )
  return each.length === 0 ? '' : median(each).toFixed(2)
}

async function checkpointOf(model: string): Promise<string> {
  if (model === 'sample') return join(root, 'resources/sample/model')
  const path = join(folder, model)
  await writeRandomCheckpoint(path, model as SizeName, 'float16')
  return path
}

/** The checkpoint as a GGUF file in float16. */
async function ggufOf(checkpoint: string, model: string): Promise<string> {
  const file = join(folder, `${model}.gguf`)
  const job = exportSchema.parse({ kind: 'export', format: 'gguf', checkpoint, out: file, type: 'f16', proof: false })
  await runJob(job, { emit: () => {}, signal: new AbortController().signal, resume: false })
  return file
}
