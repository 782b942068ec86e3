export type ErrorKind =
  | 'bad-setting' // a flag or a field of the job description
  | 'bad-file' // a checkpoint, tokenizer, data set or run folder on disk
  | 'does-not-fit' // memory or disk
  | 'unsupported' // a kernel, a device or a feature that is not there
  | 'interrupted' // stopped by the user; state is saved

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
    super(place ? `${place}: ${message}` : message, where.cause === undefined ? {} : { cause: where.cause })
    this.name = 'SecateurError'
    this.kind = kind
    if (where.file !== undefined) this.file = where.file
    if (where.field !== undefined) this.field = where.field
  }
}

export const badFile = (file: string, field: string | undefined, message: string, cause?: unknown) =>
  new SecateurError('bad-file', message, { file, field, cause })

export const badSetting = (field: string, message: string) => new SecateurError('bad-setting', message, { field })
