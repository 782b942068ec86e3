import type { Problem as ProblemFields } from '../../../electron/contract/index.ts'

/**
 * What went wrong, from whichever side of contract A. Besides the kinds of the contract: `disconnected`, where the request
 * was not sent or its answer was lost.
 */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly kind: string
  readonly file: string | undefined
  readonly field: string | undefined

  constructor(problem: ProblemFields) {
    super(problem.message)
    this.kind = problem.kind
    this.file = problem.file
    this.field = problem.field
  }
}

export const disconnected = () =>
  new Problem({ kind: 'disconnected', message: 'Secateur cannot be reached at the moment; this was not done.' })

/** Whatever was thrown, as a problem that can be shown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  return new Problem({ kind: 'internal', message: error instanceof Error ? error.message : String(error) })
}
