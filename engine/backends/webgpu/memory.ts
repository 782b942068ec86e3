import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'

/**
 * Memory of the card in bytes, which WebGPU does not report. It comes from SECATEUR_GPU_MEMORY (in GB) if that is set, from
 * nvidia-smi, from the Linux driver's files for AMD cards, or is a share of the computer's memory on Apple's. Null where none
 * of these says.
 */
export function cardMemory({ vendor }: GPUAdapterInfo): number | null {
  const given = Number(process.env['SECATEUR_GPU_MEMORY'])
  if (given > 0) return given * 1e9
  if (/nvidia/i.test(vendor)) return nvidiaCards()?.memoryBytes ?? null
  if (/amd/i.test(vendor)) return amdMemory()
  if (/apple/i.test(vendor)) return 0.75 * totalmem()
  return null
}

/** The product name of an NVIDIA card, of which WebGPU reports only the driver; null where the system does not say. */
export const cardName = ({ vendor }: GPUAdapterInfo): string | null =>
  /nvidia/i.test(vendor) ? (nvidiaCards()?.name ?? null) : null

/** Run once a process, because nvidia-smi is slow. */
let nvidia: ReturnType<typeof askNvidia> | undefined
const nvidiaCards = () => (nvidia === undefined ? (nvidia = askNvidia()) : nvidia)

function askNvidia(): { name: string | null; memoryBytes: number | null } | null {
  const query = ['--query-gpu=name,memory.total', '--format=csv,noheader,nounits']
  const { stdout, status } = spawnSync('nvidia-smi', query, { encoding: 'utf8', timeout: 10_000 })
  return status === 0 ? readNvidiaCards(stdout) : null
}

/**
 * Reads the output of `nvidia-smi`, a line `name, megabytes` a card. Which of several cards Dawn takes is not known: the
 * smallest memory is safe, and the name is given only if all have the same.
 */
export function readNvidiaCards(text: string): { name: string | null; memoryBytes: number | null } {
  const cards = text
    .trim()
    .split('\n')
    .map((line) => /^(.*), *(.*)$/.exec(line.trim()))
    .map((found) => ({ name: found?.[1], megabytes: Number(found?.[2]) }))
  const megabytes = Math.min(...cards.map((card) => card.megabytes))
  const [first] = cards
  return {
    name: first?.name && cards.every(({ name }) => name === first.name) ? first.name : null,
    memoryBytes: Number.isFinite(megabytes) && megabytes > 0 ? megabytes * 2 ** 20 : null,
  }
}

function amdMemory(): number | null {
  const root = '/sys/class/drm'
  try {
    const sizes = readdirSync(root)
      .filter((name) => /^card\d+$/.test(name))
      .map((name) => Number(readFileSync(join(root, name, 'device', 'mem_info_vram_total'), 'utf8')))
    const bytes = Math.max(...sizes)
    return bytes > 0 ? bytes : null
  } catch {
    return null
  }
}
