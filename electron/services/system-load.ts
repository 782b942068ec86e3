import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { availableMemory } from '../../engine/shared/available-memory.ts'
import type { LoadPoint } from '../contract/index.ts'

type CardLoad = Pick<LoadPoint, 'card' | 'cardMemoryBytes'>

const nothing: CardLoad = { card: null, cardMemoryBytes: null }
const nvidia = ['--query-gpu=utilization.gpu,memory.used', '--format=csv,noheader,nounits']
const runFile = promisify(execFile)

/**
 * How busy the computer is, by what the system tells every program: processors and memory by Node, graphics cards by the
 * files of their driver on Linux or by nvidia-smi, where these are there.
 */
export class SystemLoad {
  #before = timesOf(cpus())
  /** What says how busy the card is; found at the first question, and not asked again where there is nothing. */
  #card: (() => Promise<CardLoad>) | null | undefined

  /** Since the last question. */
  async now(): Promise<LoadPoint> {
    const times = timesOf(cpus())
    const all = times.all - this.#before.all
    const processor = all > 0 ? 1 - (times.idle - this.#before.idle) / all : null
    this.#before = times
    if (this.#card === undefined) this.#card = await findCard()
    const card = this.#card ? await this.#card().catch(() => nothing) : nothing
    return { time: Date.now(), processor, memoryBytes: Math.max(0, totalmem() - availableMemory()), ...card }
  }
}

/** Milliseconds of all processors since the computer started. */
function timesOf(processors: ReturnType<typeof cpus>): { all: number; idle: number } {
  let [all, idle] = [0, 0]
  for (const { times } of processors) {
    idle += times.idle
    all += times.user + times.nice + times.sys + times.irq + times.idle
  }
  return { all, idle }
}

async function findCard(): Promise<(() => Promise<CardLoad>) | null> {
  const folders = await readdir('/sys/class/drm').catch(() => [])
  const cards = folders.filter((name) => /^card\d+$/.test(name)).map((name) => join('/sys/class/drm', name, 'device'))
  for (const read of [...cards.map((folder) => () => readDriver(folder)), readNvidia])
    if (
      await read().then(
        () => true,
        () => false,
      )
    )
      return read
  return null
}

/** Files of the AMD driver. @throws Error where there are none */
async function readDriver(folder: string): Promise<CardLoad> {
  const number = async (name: string) => Number((await readFile(join(folder, name), 'utf8')).trim())
  return { card: (await number('gpu_busy_percent')) / 100, cardMemoryBytes: await number('mem_info_vram_used') }
}

/** @throws Error where there is no such program, or no card */
async function readNvidia(): Promise<CardLoad> {
  const { stdout } = await runFile('nvidia-smi', nvidia, { timeout: 5000, windowsHide: true })
  return nvidiaLoad(stdout)
}

/** Reads a line `percent, megabytes` of nvidia-smi for each card: the busiest stands for all. @throws Error where it has none */
export function nvidiaLoad(text: string): CardLoad {
  const cards = text.split('\n').flatMap((line) => {
    const [, percent, megabytes] = /^\s*(\d+)\s*,\s*(\d+)\s*$/.exec(line) ?? []
    return percent === undefined ? [] : [{ card: Number(percent) / 100, cardMemoryBytes: Number(megabytes) * 2 ** 20 }]
  })
  const [busiest] = cards.toSorted((one, other) => other.card - one.card || other.cardMemoryBytes - one.cardMemoryBytes)
  if (!busiest) throw new Error('nvidia-smi names no card')
  return busiest
}
