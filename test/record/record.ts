import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { allCases } from './cases.ts'
import type { Case } from './case.ts'
import { collect, readableEvents } from './collect.ts'
import { differencesOf } from './compare.ts'
import { Engine } from './engine.ts'
import { prepareInputs } from './inputs.ts'

interface RecordSettings {
  /** Checkout whose engine runs; undefined: this one. */
  engine: string | undefined
  /** Text that names of cases must contain. */
  only: string
  /** Cases that run at a time. */
  parallel: number
}

const root = join(import.meta.dirname, '../..')
const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`

/**
 * Runs the cases and leaves what each wrote, without times and paths, in a subfolder of `target`.
 *
 * @returns whether every case ended as it should
 */
export async function record(target: string, { engine: checkout, only, parallel }: RecordSettings): Promise<boolean> {
  const work = mkdtempSync(join(tmpdir(), 'secateur-record-'))
  const engine = new Engine(resolve(checkout ?? root), work)
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))
  process.on('exit', () => {
    engine.kill()
    rmSync(work, { recursive: true, force: true })
  })
  const hasShared = prepareInputs(root, join(work, 'inputs'))
  if (!hasShared) console.error('record: ../shared is missing: the cases use resources/sample only')
  const chosen = allCases.filter(({ name }) => name.includes(only))
  // A repeated case is compared with the case that it repeats, so that this one is recorded too.
  const cases = allCases.filter(
    (one) => chosen.includes(one) || chosen.some(({ name, repeats }) => repeats === one.name && name !== one.name),
  )
  const started = performance.now()
  const problems: string[] = []
  const queue = [...cases]
  const worker = async (): Promise<void> => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      const begun = performance.now()
      const problem = await recordCase(one, engine, work, join(target, one.name))
      if (problem) problems.push(`${one.name}: ${problem}`)
      console.error(`record: ${one.name}, ${seconds(begun)}${problem ? ': a problem' : ''}`)
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  for (const { name, repeats } of cases) {
    if (repeats === undefined || ![repeats, name].every((one) => existsSync(join(target, one, 'run')))) continue
    const differences = differencesOf(join(target, repeats, 'run'), join(target, name, 'run'))
    if (differences.length > 0) problems.push(`${name} is not what ${repeats} is: ${differences.join('; ')}`)
  }
  console.log(`recorded ${cases.length} cases in ${target}, ${seconds(started)}`)
  for (const problem of problems) console.log(`problem: ${problem}`)
  return problems.length === 0
}

/** @returns what went wrong, or null. */
async function recordCase({ name, steps }: Case, engine: Engine, work: string, target: string): Promise<string | null> {
  const folder = join(work, name)
  mkdirSync(folder)
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  for (const [index, step] of steps.entries()) {
    if ('file' in step) {
      writeFileSync(join(folder, step.file), JSON.stringify(step.json))
      continue
    }
    const { code, events, complaint } = await engine.run(step, folder)
    if (code !== (step.exits === undefined ? 0 : step.exits))
      return `${step.args.slice(0, 2).join(' ')} ended with ${code}: ${complaint}`
    // How far a stopped run came is a matter of time.
    if (!step.stop) writeFileSync(join(target, `step-${index + 1}.jsonl`), readableEvents(events, work))
  }
  collect(folder, target, work)
  // Checkpoints of 60 cases would fill a small disk.
  rmSync(folder, { recursive: true })
  return null
}
