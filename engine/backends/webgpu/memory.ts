import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'

/**
 * Memory of the card in bytes. WebGPU does not tell, so it is asked of the system: SECATEUR_GPU_MEMORY (in GB) where it is
 * set, nvidia-smi, the Linux driver's files for AMD cards, or the computer's own memory where the card shares it.
 */
export function cardMemory({ vendor }: GPUAdapterInfo): number | null {
  const given = Number(process.env['SECATEUR_GPU_MEMORY'])
  if (given > 0) return given * 1e9
  if (/nvidia/i.test(vendor)) return nvidiaMemory()
  if (/amd/i.test(vendor)) return amdMemory()
  if (/apple/i.test(vendor)) return 0.75 * totalmem()
  return null
}

function nvidiaMemory(): number | null {
  const { stdout, status } = spawnSync('nvidia-smi', ['--query-gpu=memory.total', '--format=csv,noheader,nounits'], {
    encoding: 'utf8',
    timeout: 10_000,
  })
  if (status !== 0) return null
  // Where there are several cards, Dawn takes one that the driver lists; the smallest is safe.
  const sizes = stdout.trim().split('\n').map(Number)
  const megabytes = Math.min(...sizes)
  return Number.isFinite(megabytes) && megabytes > 0 ? megabytes * 2 ** 20 : null
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
