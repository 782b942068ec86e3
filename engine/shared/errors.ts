export const errorKinds = [
  'bad-setting', // a flag or a field of the job description
  'bad-file', // a checkpoint, tokenizer, data set or run folder on disk
  'does-not-fit', // memory or disk
  'unsupported', // a kernel, a device or a feature that is not there
  'interrupted', // stopped by the user; state is saved
] as const
export type ErrorKind = (typeof errorKinds)[number]

/** Exit codes of the command line and of a run process; 1 for anything else. */
export const exitCodes: Record<ErrorKind, number> = {
  'bad-setting': 2,
  'bad-file': 3,
  'does-not-fit': 4,
  unsupported: 5,
  interrupted: 130,
}

/** Longest message: one that quotes a file could be as long as the file. */
const longest = 2000

/** A text with its middle left out, where it is too long to be read. */
export const shortened = (text: string): string =>
  text.length <= longest ? text : `${text.slice(0, longest / 2)} ... ${text.slice(-longest / 4)}`

/** Every error that a user is meant to read: what was wrong, where, and what to do. */
export class SecateurError extends Error {
  readonly kind: ErrorKind
  /** File or folder that was being read or written, where there is one. */
  readonly file?: string
  /** Field, tensor or line within the file, or the name of the setting. */
  readonly field?: string

  constructor(
    kind: ErrorKind,
    message: string,
    where: { file?: string | undefined; field?: string | undefined; cause?: unknown } = {},
  ) {
    const place = [where.file, where.field].filter((part) => part !== undefined).join(': ')
    super(shortened(place ? `${place}: ${message}` : message), where.cause === undefined ? {} : { cause: where.cause })
    this.name = 'SecateurError'
    this.kind = kind
    if (where.file !== undefined) this.file = where.file
    if (where.field !== undefined) this.field = where.field
  }
}

/** Several errors, each of which is told in full; the kind is that of the first. */
export class SeveralErrors extends SecateurError {
  readonly errors: readonly SecateurError[]

  constructor(errors: readonly [SecateurError, ...SecateurError[]]) {
    super(errors[0].kind, errors.map(({ message }) => message).join('\n'))
    this.errors = errors
  }
}

/** @throws SecateurError where something is wrong: a lone error as it is, several in one */
export function refuseIfAny(errors: readonly SecateurError[]): void {
  const [first, ...others] = errors
  if (first) throw others.length === 0 ? first : new SeveralErrors([first, ...others])
}

/** What went wrong, for a person: `kind` is an ErrorKind, or `internal`. */
export interface Failure {
  kind: string
  message: string
  /** File or folder that was being read or written, and the field, tensor or line in it or the setting. */
  file?: string | undefined
  field?: string | undefined
}

/** The error that another process, or a file that it left, told of, with its place. */
export function errorOf({ kind: told, message, file, field }: Failure): SecateurError {
  const kind = Object.hasOwn(exitCodes, told) ? (told as ErrorKind) : 'unsupported'
  const place = [file, field].filter((part) => part !== undefined).join(': ')
  const isNamed = place !== '' && message.startsWith(`${place}: `)
  return isNamed
    ? new SecateurError(kind, message.slice(place.length + 2), { file, field })
    : new SecateurError(kind, message)
}

/** An error as contract B and the files of a run tell of it. What is no fault of the user's keeps its stack. */
export function failureOf(caught: unknown): Failure {
  const error = readable(caught)
  if (!(error instanceof SecateurError))
    return { kind: 'internal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  const { kind, message, file, field } = error
  return { kind, message, ...(file === undefined ? {} : { file }), ...(field === undefined ? {} : { field }) }
}

/** What the system refuses (a folder that cannot be written, a full disk) is about a file, and no fault of the program. */
export function readable(error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return error
  const file = 'path' in error && typeof error.path === 'string' ? error.path : undefined
  if (error.code === 'ENOSPC') return new SecateurError('does-not-fit', 'the disk is full', { file, cause: error })
  return new SecateurError('bad-file', error.message, { file, cause: error })
}

/**
 * Why something could not be done that a job can do without, such as writing a cache or running on a graphics card.
 *
 * @throws every error that is no fault of a file or the system, and an interruption
 */
export function refusalOf(caught: unknown): SecateurError {
  const error = readable(caught)
  if (!(error instanceof SecateurError) || error.kind === 'interrupted') throw caught
  return error
}

export const badFile = (file: string, field: string | undefined, message: string, cause?: unknown) =>
  new SecateurError('bad-file', message, { file, field, cause })

export const badSetting = (field: string, message: string) => new SecateurError('bad-setting', message, { field })

export function exitCodeOf(caught: unknown): number {
  const error = readable(caught)
  return error instanceof SecateurError ? exitCodes[error.kind] : 1
}

/**
 * Does something, and adds what is wrong to a list where that is a user's to mend, so that one can go on to what else is.
 *
 * @throws every other error, and an interruption
 */
export async function collectProblems(problems: SecateurError[], work: () => void | Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof SecateurError) || error.kind === 'interrupted') throw error
    problems.push(error)
  }
}
