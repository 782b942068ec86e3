import { commandSchema, type EngineEvent, type RunCommand } from '../../contract/index.ts'
import { abridged, debug } from '../../shared/log.ts'
import { badSetting, exitCodeOf, failureOf } from '../../shared/errors.ts'
import { Outbox } from './outbox.ts'
import { StopSwitch } from './stop-switch.ts'

/**
 * Runs the one job that the parent process sends, and ends the process with the exit code of the command line. Stopped by
 * a command or a signal, or where the parent has gone, the job ends after its current step with its state saved.
 */
export function runProcess(): void {
  if (!process.send) {
    process.stderr.write(
      'secateur: engine/entries/run.ts is started by the app; use the command line, engine/entries/main.ts\n',
    )
    process.exit(2)
  }
  const outbox = new Outbox((event, sent) => {
    debug('message', () => `to the app: ${abridged(event)}`)
    process.send!(event, undefined, undefined, sent)
  })
  const stop = new StopSwitch()
  let started = false
  let ended = false

  const end = async (last: EngineEvent, code: number): Promise<void> => {
    if (ended) return
    ended = true
    outbox.put(last)
    await outbox.drained()
    process.exit(code)
  }
  const fail = (error: unknown) => void end({ type: 'error', ...failureOf(error) }, exitCodeOf(error))

  process.on('message', (message) => {
    debug('message', () => `from the app: ${abridged(message)}`)
    const parsed = commandSchema.safeParse(message)
    if (parsed.success && parsed.data.type === 'stop') {
      stop.stop()
      if (!started) fail(stop.signal.reason)
    } else if (started) {
      outbox.put({
        type: 'log',
        level: 'warning',
        message: 'a message that is no stop was left aside: a job runs already',
      })
    } else if (parsed.success && parsed.data.type === 'run') {
      started = true
      run(parsed.data)
    } else {
      const issue = parsed.error?.issues[0]
      fail(badSetting(issue?.path.join('.') || 'command', issue?.message ?? 'is not known'))
    }
  })
  process.on('disconnect', () => {
    outbox.close()
    stop.stop()
    if (!started) process.exit(0)
  })
  process.on('uncaughtException', fail)
  // The pipes of a parent that was killed are gone before the state is saved.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

  function run({ job, resume, dense }: RunCommand): void {
    const context = { emit: (event: EngineEvent) => outbox.put(event), signal: stop.signal, resume, dense }
    // Loaded only now, so that a stop is heard from the first moment.
    import('../../jobs/index.ts').then(({ runJob }) => runJob(job, context)).then((result) => end(result, 0), fail)
  }
}
