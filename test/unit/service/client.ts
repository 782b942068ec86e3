import type { ChildProcess } from 'node:child_process'
import { after } from 'node:test'
import {
  type ServiceMethod,
  serviceMethods,
  type ServiceParams,
  serviceResponseSchema,
  type ServiceResult,
} from '../../../engine/contract/index.ts'
import type { Failure } from '../../../engine/shared/errors.ts'
import { forkEngine } from '../../e2e/run-process.ts'

/** The error of a request that failed, as the service sent it. */
export class RequestError extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.message)
    this.failure = failure
  }
}

interface Options {
  progress?: (done: number, total: number) => void
  /** Sees the id of the request once it is sent. */
  sent?: (id: number) => void
  part?: (part: unknown) => void
}

/** A service process as the app has one, which goes when the tests of the file are over. */
export function startService() {
  const child: ChildProcess = forkEngine('service')
  let errors = ''
  child.stderr!.setEncoding('utf8').on('data', (more: string) => (errors += more))
  after(() => child.kill('SIGKILL'))
  let last = 0

  function request<Method extends ServiceMethod>(
    method: Method,
    params: ServiceParams<Method>,
    { progress, sent, part }: Options = {},
  ): Promise<ServiceResult<Method>> {
    const id = ++last
    return new Promise((done, failed) => {
      const settle = (end: () => void) => {
        child.off('message', listen)
        child.off('exit', gone)
        end()
      }
      const gone = () => settle(() => failed(new Error(`the service ended: ${errors}`)))
      const listen = (message: unknown) => {
        const response = serviceResponseSchema.parse(message)
        if (response.id !== id) return
        if ('progress' in response) return progress?.(response.progress.done, response.progress.total)
        if ('part' in response) return part?.(response.part)
        settle(() => {
          if ('error' in response) return failed(new RequestError(response.error))
          const result = serviceMethods[method].result.safeParse(response.result)
          if (result.success) done(result.data as ServiceResult<Method>)
          else failed(result.error)
        })
      }
      child.on('message', listen)
      child.on('exit', gone)
      child.send({ id, method, params }, () => sent?.(id))
    })
  }
  return { child, request, send: (message: object) => void child.send(message) }
}
