import { fork } from 'node:child_process'
import { join } from 'node:path'
import { type Command, type EngineEvent, eventSchema, type Job, type ResultEvent } from '../contract/index.ts'
import { errorOf, SecateurError } from '../shared/errors.ts'
import { endOf, explainEnd } from '../shared/process-end.ts'

/**
 * Runs a job in an engine process of its own, whose memory is its own too.
 *
 * @param signal stops the process, which saves its state first
 * @param hear is called with everything that the process says
 * @throws SecateurError that the job ended with.
 */
export function runInChild(
  { job, resume, dense }: { job: Job; resume: boolean; dense?: string | undefined },
  signal: AbortSignal,
  hear: (event: EngineEvent) => void,
): Promise<ResultEvent> {
  return new Promise((done, failed) => {
    const child = fork(join(import.meta.dirname, '../entries/run.ts'), {
      execPath: process.execPath,
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    child.stderr!.on('data', (text: string) => process.stderr.write(text))
    const send = (command: Command) => void (child.connected && child.send(command, () => {}))
    const stop = () => send({ type: 'stop' })
    let result: ResultEvent | null = null
    let failure: SecateurError | null = null
    child.on('message', (message) => {
      const event = eventSchema.parse(message)
      hear(event)
      if (event.type === 'result') result = event
      if (event.type === 'error') failure = errorOf(event)
    })
    void endOf(child).then((end) => {
      signal.removeEventListener('abort', stop)
      if (failure) failed(failure)
      else if (result && end.code === 0) done(result)
      else failed(new SecateurError('unsupported', explainEnd(end)))
    })
    signal.addEventListener('abort', stop, { once: true })
    send({ type: 'run', job, resume, dense })
    if (signal.aborted) stop()
  })
}
