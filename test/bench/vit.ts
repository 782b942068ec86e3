// A training step and a forward pass of a ViT-B/16 with random weights beside PyTorch, turn by turn on the same threads.
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import environment from '../../resources/engine-environment.json' with { type: 'json' }
import { pythonOfJudges } from './peers.ts'
import { flagsOf, median, start, takeTurns } from './workers.ts'

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '4' },
    layers: { type: 'string', default: '12' },
    size: { type: 'string', default: '224' },
    repeats: { type: 'string', default: '5' },
    threads: { type: 'string', default: String(availableParallelism()) },
    /** One with torch; that of the judges unless given. */
    python: { type: 'string' },
  },
})
const shape = {
  width: 768,
  layers: Number(values.layers),
  heads: 12,
  channels: 3072,
  size: Number(values.size),
  patch: 16,
  rows: Number(values.rows),
  classes: 100,
}
const { threads } = values
const python = pythonOfJudges(values.python, 'PyTorch')
const at = (file: string) => join(import.meta.dirname, file)
const ours = (mode: string) => {
  const args = ['--shape', Object.values(shape).join(','), '--mode', mode, '--threads', threads]
  return start(`Secateur ${mode}`, process.execPath, [at('vit-worker.ts'), ...args], environment)
}
const theirs = (command: string, mode: string) => {
  const args = flagsOf({ ...shape, mode, threads })
  // Waiting threads of one worker must not take the cores of the one whose turn it is.
  return start(`PyTorch ${mode}`, command, [at('torch_vit.py'), ...args], { OMP_WAIT_POLICY: 'passive' })
}

const workers = await Promise.all([
  ...['step-keep', 'step-recompute', 'forward'].map(ours),
  ...(python ? ['step', 'step-checkpointing', 'forward'].map((mode) => theirs(python, mode)) : []),
])
const answers = await takeTurns(workers, Number(values.repeats))
const medians = new Map([...answers].map(([name, all]) => [name, median(all.map(({ seconds }) => seconds))]))
console.log(
  `ViT-B/16 with ${shape.layers} layers, ${shape.rows} images of ${shape.size}, ${threads} threads, median of ${values.repeats}\n`,
)
console.log('| work | ms | images/s | peak memory, MB |\n| --- | --- | --- | --- |')
for (const [name, taken] of medians)
  console.log(
    `| ${name} | ${(1000 * taken).toFixed(0)} | ${(shape.rows / taken).toFixed(2)} | ${(answers.get(name)!.at(-1)!.peakBytes / 1e6).toFixed(0)} |`,
  )
if (python) tellRatios()

function tellRatios(): void {
  const step = least('Secateur step-keep', 'Secateur step-recompute')
  console.log(`\nstep: ${ratio(step, least('PyTorch step', 'PyTorch step-checkpointing'))}`)
  console.log(
    `step, both computing again: ${ratio(least('Secateur step-recompute'), least('PyTorch step-checkpointing'))}`,
  )
  console.log(`forward pass: ${ratio(least('Secateur forward'), least('PyTorch forward'))}`)
}

function least(...names: string[]): number {
  return Math.min(...names.map((name) => medians.get(name)!))
}

function ratio(our: number, their: number): string {
  return `${(their / our).toFixed(2)} times PyTorch's speed`
}
