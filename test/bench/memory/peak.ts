import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { sum } from '../../../engine/shared/sum.ts'
import environment from '../../../resources/engine-environment.json' with { type: 'json' }

export interface Peak {
  /** Bytes that the engine said before it began. */
  said: number
  /** Bytes that its process and those that it started held at most. */
  measured: number
}

const estimateEvent = z.object({ type: z.literal('estimate'), estimate: z.object({ memoryBytes: z.number() }) })
const engine = join(import.meta.dirname, '../../../engine/entries/main.ts')

/** Runs a command of the engine in a process of its own, as the launcher starts it. */
export function peakOf(args: readonly string[], env: Record<string, string> = {}): Promise<Peak> {
  const child = spawn(process.execPath, [engine, ...args, '--json'], {
    env: { ...environment, ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const peaks = new Map<number, number>()
  // The high-water mark never falls, so that what is read last is the peak but for the last moments.
  const look = (pid: number) => {
    const peak = highWaterOf(pid)
    if (peak !== undefined) peaks.set(pid, peak)
  }
  const timers = [setInterval(() => look(child.pid!), 5), setInterval(() => childrenOf(child.pid!).forEach(look), 100)]
  let [output, errors] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    look(child.pid!)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      timers.forEach(clearInterval)
      if (code !== 0)
        return reject(
          new Error(`secateur ${args.join(' ')} ended with ${code}: ${output.slice(-800)}${errors.slice(-400)}`),
        )
      const said = output.split('\n').flatMap((line) => {
        const event = line === '' ? undefined : estimateEvent.safeParse(JSON.parse(line)).data
        return event ? [event.estimate.memoryBytes] : []
      })
      if (said[0] === undefined) return reject(new Error(`secateur ${args.join(' ')} said nothing of its memory`))
      resolve({ said: said[0], measured: sum([...peaks.values()]) })
    })
  })
}

/** A model on llama.cpp has a process of its own, which is there while this one holds most. */
const childrenOf = (parent: number): number[] =>
  readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    const of = /^PPid:\s+(\d+)$/m.exec(statusOf(Number(name)) ?? '')?.[1]
    return Number(of) === parent ? [Number(name)] : []
  })

function highWaterOf(pid: number): number | undefined {
  const high = /VmHWM:\s+(\d+) kB/.exec(statusOf(pid) ?? '')
  return high ? Number(high[1]) * 1024 : undefined
}

/** Linux alone has /proc; a process that has ended has no file in it. */
function statusOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return null
  }
}
