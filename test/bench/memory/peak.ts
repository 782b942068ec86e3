import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import environment from '../../../resources/engine-environment.json' with { type: 'json' }

export interface Peak {
  /** Bytes that the engine said before it began. */
  said: number
  /** Bytes that its process held at most. */
  measured: number
}

const estimateEvent = z.object({ type: z.literal('estimate'), estimate: z.object({ memoryBytes: z.number() }) })
const engine = join(import.meta.dirname, '../../../engine/entries/main.ts')

/** Runs a command of the engine in a process of its own, as the launcher starts it. */
export function peakOf(args: readonly string[]): Promise<Peak> {
  const child = spawn(process.execPath, [engine, ...args, '--json'], {
    env: { ...environment, ...process.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let measured = 0
  // The high-water mark never falls, so that what is read last is the peak but for the last moments.
  const look = () => (measured = highWaterOf(child.pid!) ?? measured)
  const timer = setInterval(look, 5)
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    look()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      clearInterval(timer)
      if (code !== 0)
        return reject(
          new Error(`secateur ${args.join(' ')} ended with ${code}: ${output.slice(-800)}${errors.slice(-400)}`),
        )
      const said = output.split('\n').flatMap((line) => {
        const event = line === '' ? undefined : estimateEvent.safeParse(JSON.parse(line)).data
        return event ? [event.estimate.memoryBytes] : []
      })
      if (said[0] === undefined) return reject(new Error(`secateur ${args.join(' ')} said nothing of its memory`))
      resolve({ said: said[0], measured })
    })
  })
}

/** Linux alone has /proc; a process that has ended has no line either. */
function highWaterOf(pid: number): number | undefined {
  try {
    const high = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return high ? Number(high[1]) * 1024 : undefined
  } catch {
    return undefined
  }
}
