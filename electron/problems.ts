import { ZodError } from 'zod'
import { failureOf, SecateurError, shortened } from '../engine/shared/errors.ts'
import { codeOf, fileReasons } from '../engine/shared/system-errors.ts'
import type { Problem } from './contract/index.ts'

export type ProblemKind =
  | 'bad-setting'
  | 'bad-file'
  | 'does-not-fit'
  | 'unsupported'
  | 'not-found'
  | 'in-use'
  | 'conflict'
  | 'refused'
  | 'interrupted'
  | 'internal'

/** An error that the user is meant to read: what was wrong, where, and what to do. */
export class ProblemError extends Error {
  readonly problem: Problem

  constructor(kind: ProblemKind, text: string, where: { file?: string; field?: string; cause?: unknown } = {}) {
    const message = shortened(text)
    super(message, where.cause === undefined ? {} : { cause: where.cause })
    this.name = 'ProblemError'
    const { file, field } = where
    this.problem = { kind, message, ...(file === undefined ? {} : { file }), ...(field === undefined ? {} : { field }) }
  }

  /** One that another process reported. */
  static of(problem: Problem): ProblemError {
    const error = new ProblemError('internal', problem.message)
    Object.assign(error.problem, problem)
    return error
  }
}

export const notFound = (what: string, id: number) => new ProblemError('not-found', `There is no ${what} ${id}.`)

const pathOf = (error: unknown): string | undefined =>
  error instanceof Error && 'path' in error && typeof error.path === 'string' ? error.path : undefined

const reasons: Record<string, [ProblemKind, string]> = {
  ...Object.fromEntries(
    Object.entries(fileReasons).map(([code, text]): [string, [ProblemKind, string]] => [code, ['bad-file', text]]),
  ),
  EEXIST: ['conflict', 'exists already'],
  ENOTEMPTY: ['conflict', 'exists already and is not empty'],
  ENOSPC: ['does-not-fit', 'the disk is full'],
  EDQUOT: ['does-not-fit', 'the disk quota is used up'],
  SQLITE_FULL: ['does-not-fit', 'the disk is full: the database cannot be written'],
  SQLITE_READONLY: ['bad-file', 'the database is on a disk that cannot be written to'],
}

/** Whether the disk refused, which may pass, and not the program or what it was given. */
export const isStorageTrouble = (error: unknown): boolean =>
  /^(ENOSPC|EDQUOT|SQLITE_(FULL|IOERR|READONLY|BUSY))/.test(codeOf(error) ?? '')

export const wasAborted = (error: unknown): boolean =>
  (error instanceof Error && error.name === 'AbortError') ||
  (error instanceof ProblemError && error.problem.kind === 'interrupted')

/** Any error in the form that the renderer gets. An unexpected one is `internal`, and is printed with its stack. */
export function toProblem(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem
  if (error instanceof SecateurError) return failureOf(error)
  if (error instanceof ZodError) {
    const issue = error.issues[0]
    const field = shortened(issue?.path.map(String).join('.') ?? '')
    const message = shortened(issue?.message ?? 'is not valid')
    return { kind: 'bad-setting', message: field ? `${field}: ${message}` : message, ...(field ? { field } : {}) }
  }
  if (wasAborted(error)) return { kind: 'interrupted', message: 'Cancelled.' }
  const reason = reasons[codeOf(error) ?? '']
  if (reason) {
    const file = pathOf(error)
    return { kind: reason[0], message: file ? `${file} ${reason[1]}` : reason[1], ...(file ? { file } : {}) }
  }
  console.error(error)
  return { kind: 'internal', message: error instanceof Error ? error.message : String(error) }
}
