import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { Call } from './case.ts'

/** An event of the engine, of which only the type is sure: the contract is what may be changed. */
const eventSchema = z.looseObject({ type: z.string() })
export type RecordedEvent = z.infer<typeof eventSchema>
const stepSchema = z.union([
  z.looseObject({ step: z.int() }).transform(({ step }) => step),
  z.looseObject({ metrics: z.looseObject({ step: z.int() }) }).transform(({ metrics }) => metrics.step),
])

/** Where the command line starts, in checkouts of today and of before. */
const entries = ['engine/entries/main.ts', 'engine/main.ts']
/** Commands that compute: one thread each, so that sums are added in the same order and two cases fit two cores. */
const computing = ['prune', 'finetune', 'eval', 'measure', 'generate']

/** The command line of a checkout. */
export class Engine {
  readonly #entry: string
  readonly #cache: string
  readonly #running = new Set<ChildProcess>()

  /** @throws where the checkout has no command line. */
  constructor(checkout: string, work: string) {
    const entry = entries.map((path) => join(checkout, path)).find((path) => existsSync(path))
    if (!entry) throw new Error(`${checkout} has none of ${entries.join(', ')}`)
    this.#entry = entry
    this.#cache = join(work, 'cache')
  }

  /** Runs to the end, or to where the call says that it is stopped. */
  async run({ args, stop }: Call, cwd: string) {
    const placement = computing.includes(args[0]!) ? ['--device', 'onnx', '--threads', '1'] : []
    const child = spawn(process.execPath, [this.#entry, ...args, ...placement, '--json'], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, XDG_CACHE_HOME: this.#cache, LOCALAPPDATA: this.#cache },
    })
    this.#running.add(child)
    let complaint = ''
    child.stderr.on('data', (bytes) => (complaint += String(bytes)))
    const closed = new Promise<number | null>((done) => void child.on('close', done))
    const events: RecordedEvent[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      const event = eventSchema.parse(JSON.parse(line))
      events.push(event)
      if (stop && !child.killed && event.type === stop.after && stepSchema.parse(event) >= stop.step)
        child.kill(stop.signal)
    }
    const code = await closed
    this.#running.delete(child)
    // Of a stack, the line that says what happened.
    const said = complaint.split('\n').find((line) => /error|secateur:/i.test(line) && !line.startsWith(' '))
    return { code, events, complaint: said ?? JSON.stringify(events.at(-1) ?? null) }
  }

  /** Ends what still runs. */
  kill(): void {
    for (const child of this.#running) child.kill('SIGKILL')
  }
}
