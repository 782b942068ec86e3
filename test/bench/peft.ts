// A training step and a forward pass of whole models beside what a user would pick instead, transformers with PEFT, on the same
// checkpoint, turn by turn on the same threads.
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import environment from '../../resources/engine-environment.json' with { type: 'json' }
import { sizeNames, writeRandomCheckpoint } from './memory/models.ts'
import { pythonOfJudges } from './peers.ts'
import { type Answer, flagsOf, median, start, takeTurns } from './workers.ts'

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: '125M,135M deep' },
    modes: { type: 'string', default: 'step,step-checkpointing,forward' },
    rows: { type: 'string', default: '4' },
    length: { type: 'string', default: '256' },
    repeats: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
    /** One with torch, transformers and peft; that of the judges unless given. */
    python: { type: 'string' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'secateur-peft-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const python = pythonOfJudges(values.python, 'transformers with PEFT')
const at = (file: string) => join(import.meta.dirname, file)
const tokens = Number(values.rows) * Number(values.length)

console.log(
  `${values.rows} x ${values.length} tokens, ${values.threads} threads, median of ${values.repeats}; weights in float16, which PyTorch loads in float32\n`,
)
const columns = ['model', 'work', 'Secateur', 'transformers and PEFT', 'ratio of speeds']
console.log(`| ${columns.join(' | ')} |\n|${' --- |'.repeat(columns.length)}`)
for (const model of sizeNames.filter((name) => values.models.split(',').includes(name))) {
  const checkpoint = join(folder, 'model')
  await writeRandomCheckpoint(checkpoint, model, 'float16')
  for (const mode of values.modes.split(',')) await measure(model, checkpoint, mode)
  rmSync(checkpoint, { recursive: true })
}

async function measure(model: string, checkpoint: string, mode: string): Promise<void> {
  const { rows, length, threads } = values
  const args = flagsOf({ checkpoint, rows, length, threads, mode })
  const workers = [await start('ours', process.execPath, [at('peft-worker.ts'), ...args], environment)]
  // Waiting threads of one worker must not take the cores of the one whose turn it is.
  if (python) workers.push(await start('theirs', python, [at('peft_step.py'), ...args], { OMP_WAIT_POLICY: 'passive' }))
  const answers = await takeTurns(workers, Number(values.repeats))
  const [ours, theirs] = workers.map(({ name }) => answers.get(name)!)
  const ratio = theirs ? (secondsOf(theirs) / secondsOf(ours!)).toFixed(2) : ''
  console.log(`| ${[model, mode, told(ours!), theirs ? told(theirs) : '', ratio].join(' | ')} |`)
}

function secondsOf(answers: readonly Answer[]): number {
  return median(answers.map(({ seconds }) => seconds))
}

function told(answers: readonly Answer[]): string {
  return `${(tokens / secondsOf(answers)).toFixed(0)} tokens/s, ${(answers.at(-1)!.peakBytes / 1e6).toFixed(0)} MB`
}
