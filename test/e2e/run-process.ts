import { type ChildProcess, fork } from 'node:child_process'
import { join, resolve } from 'node:path'
import { type Command, type EngineEvent, eventSchema } from '../../engine/contract/index.ts'

const root = resolve(import.meta.dirname, '../..')

/** A process of the engine, started as the app starts it. */
export const forkEngine = (entry: 'run' | 'service'): ChildProcess =>
  fork(join(root, `engine/entries/${entry}.ts`), {
    execPath: process.execPath,
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })

export interface EngineRun {
  code: number | null
  signal: NodeJS.Signals | null
  events: EngineEvent[]
  errors: string
}

/** Runs a job in a process of its own; every event is checked with the schema that the app reads it with. */
export function runInProcess(
  command: Command | object,
  onEvent: (event: EngineEvent, child: ChildProcess) => void = () => {},
): Promise<EngineRun> {
  return new Promise((done, failed) => {
    const child = forkEngine('run')
    const events: EngineEvent[] = []
    let errors = ''
    child.stderr!.setEncoding('utf8').on('data', (more: string) => (errors += more))
    child.on('message', (message) => {
      const parsed = eventSchema.safeParse(message)
      if (!parsed.success) {
        child.kill('SIGKILL')
        return failed(new Error(`${JSON.stringify(message)}: ${parsed.error.message}`))
      }
      events.push(parsed.data)
      onEvent(parsed.data, child)
    })
    child.on('error', failed)
    const finish = (code: number | null, signal: NodeJS.Signals | null) => done({ code, signal, events, errors })
    child.on('close', finish)
    // After a disconnect of ours Node tells of the exit alone.
    child.on('exit', (code, signal) => {
      if (!child.connected) finish(code, signal)
    })
    child.send(command)
  })
}
