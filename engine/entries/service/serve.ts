import { type ServiceMethod, serviceMethods, serviceRequestSchema, type ServiceResponse } from '../../contract/index.ts'
import { badSetting, failureOf, SecateurError } from '../../shared/errors.ts'
import { abridged, debug } from '../../shared/log.ts'
import type { WorkControl } from '../../shared/work-control.ts'
import { type Handler, handlers } from './methods.ts'

/** Milliseconds between two reports of progress on one request. */
const progressInterval = 100

/** Answers the parent's requests until it goes away. */
export function serveRequests(): void {
  if (!process.send) {
    process.stderr.write('secateur: engine/entries/service.ts is started by the app\n')
    process.exit(2)
  }
  const running = new Map<number, AbortController>()
  process.on('message', (message) => {
    debug('message', () => `from the app: ${abridged(message)}`)
    const request = serviceRequestSchema.safeParse(message)
    if (!request.success) console.error('a message that is no request was left aside')
    else if ('cancel' in request.data) running.get(request.data.cancel)?.abort(cancelled())
    else void serve(request.data)
  })
  process.on('disconnect', () => process.exit(0))
  // The pipes of a parent that was killed are gone before the disconnect is heard.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

  async function serve({ id, method, params }: { id: number; method: string; params: unknown }): Promise<void> {
    if (running.has(id)) return answer({ id, error: failureOf(badSetting('id', `request ${id} is running already`)) })
    const controller = new AbortController()
    running.set(id, controller)
    const { signal } = controller
    try {
      const result = await call(method, params, {
        signal,
        progress: throttled(id),
        send: (part) => answer({ id, part }),
      })
      signal.throwIfAborted()
      answer({ id, result })
    } catch (error) {
      answer({ id, error: failureOf(signal.aborted ? signal.reason : error) })
    } finally {
      running.delete(id)
    }
  }
}

const cancelled = () => new SecateurError('interrupted', 'cancelled')

type Control = WorkControl & { send: (part: unknown) => void }

async function call(method: string, params: unknown, control: Control): Promise<unknown> {
  if (!Object.hasOwn(serviceMethods, method)) throw badSetting('method', `there is no method ${method}`)
  const name = method as ServiceMethod
  const parsed = serviceMethods[name].params.safeParse(params)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw badSetting(issue.path.join('.') || 'params', issue.message)
  }
  const handler = (await handlers[name]()) as Handler<ServiceMethod>
  return handler(parsed.data as never, control)
}

function throttled(id: number): (done: number, total: number) => void {
  let last = -Infinity
  return (done, total) => {
    const now = performance.now()
    if (now - last < progressInterval && done !== total) return
    last = now
    answer({ id, progress: { done, total } })
  }
}

function answer(response: ServiceResponse): void {
  debug('message', () => `to the app: ${abridged(response)}`)
  // A channel that is gone has nobody who waits; `disconnect` ends the process.
  if (process.connected) process.send!(response, undefined, undefined, () => {})
}
