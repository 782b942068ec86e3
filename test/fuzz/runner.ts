import { fork } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { endOf, explainEnd } from '../../engine/shared/process-end.ts'
import type { Input } from './target.ts'
import { type TargetName, targets } from './targets/index.ts'
import { inputAt, numberFile, type Order, reportSchema, type Turn } from './worker.ts'

/** Milliseconds without a word after which a worker hangs. */
const silence = 90_000

export interface Finding {
  target: TargetName
  at: number
  wrong: string
  input: Input
}

/**
 * Reads inputs in a process of its own, which may hang, die or run out of memory: that is a finding too, and the inputs
 * after it are read by another.
 *
 * @returns how many inputs were read of each turn
 */
export async function fuzz(seed: number, turns: readonly Turn[], hear: (finding: Finding) => void): Promise<number[]> {
  const done = turns.map(({ from }) => from)
  for (let first = 0; first < turns.length;) {
    const left = turns.slice(first).map((turn, at) => (at === 0 ? { ...turn, from: done[first]! } : turn))
    const died = await oneWorker(seed, left, hear, (turn, at) => (done[first + turn] = at))
    if (died === null) break
    first += died
  }
  return done.map((at, turn) => at - turns[turn]!.from)
}

/** @returns the turn in which it died; null where it did not */
async function oneWorker(
  seed: number,
  turns: Turn[],
  hear: (finding: Finding) => void,
  reached: (turn: number, at: number) => void,
): Promise<number | null> {
  const scratch = mkdtempSync(join(tmpdir(), 'secateur-fuzz-'))
  const root = join(scratch, 'place')
  const child = fork(join(import.meta.dirname, 'worker.ts'), {
    execArgv: ['--max-old-space-size=2048'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let isDone = false
  let hangs = false
  // The worker has gone on to the next input when its word arrives, so that this one is made again.
  const findings: Promise<void>[] = []
  const find = (turn: number, at: number, wrong: string) => {
    const { target } = turns[turn]!
    findings.push(madeAgain(target, seed, at).then((input) => hear({ target, at, wrong, input })))
  }
  const onSilence = () => {
    hangs = true
    child.kill('SIGKILL')
  }
  let alarm = setTimeout(onSilence, silence)
  child.on('message', (message) => {
    clearTimeout(alarm)
    alarm = setTimeout(onSilence, silence)
    const report = reportSchema.parse(message)
    if ('lives' in report) return
    if ('wrong' in report) return find(report.turn, report.at, report.wrong)
    reached(report.turn, report.done)
    isDone = report.turn === turns.length - 1
  })
  child.send({ root, seed, turns } satisfies Order)
  const ended = await endOf(child)
  clearTimeout(alarm)
  try {
    if (isDone) return null
    if (!existsSync(numberFile(root))) throw new Error(`a worker could not begin: ${ended.lastWords}`)
    const [turn, at] = readFileSync(numberFile(root), 'utf8').split(' ').map(Number) as [number, number]
    find(turn, at, hangs ? `says nothing for ${silence / 1000} s` : explainEnd(ended))
    reached(turn, at + 1)
    return turn
  } finally {
    await Promise.all(findings)
    rmSync(scratch, { recursive: true, force: true })
  }
}

async function madeAgain(name: TargetName, seed: number, at: number): Promise<Input> {
  const target = await targets[name]()
  try {
    return inputAt(target, await target.seeds(), seed, at)
  } finally {
    await target.close?.()
  }
}

export const foundFolder = join(import.meta.dirname, 'found')
/** Larger inputs are not kept: their seed and number make them again. */
const largestKept = 64 * 1024

/** Keeps an input that went wrong, to be read by every `npm run test:long` from now on. Returns its folder; null where it is too large. */
export function keep({ target, at, input }: Finding, seed: number): string | null {
  const size = Object.values(input).reduce((sum, bytes) => sum + bytes.length, 0)
  if (size > largestKept) return null
  const folder = join(foundFolder, target, `seed-${seed}-input-${at}`)
  for (const [name, bytes] of Object.entries(input)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
  }
  return folder
}
