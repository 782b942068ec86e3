import { SecateurError, badFile } from './errors.ts'

/** Code of an error of the operating system. */
export const codeOf = (error: unknown) =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** What the system says of a file, in words, by its code. */
export const fileReasons: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is not in a folder',
  EISDIR: 'is a folder, not a file',
  EACCES: 'may not be opened: permission denied',
  EPERM: 'may not be opened: permission denied',
  EROFS: 'is on a disk that cannot be written to',
  ELOOP: 'goes round in a circle of links',
  ENAMETOOLONG: 'has a name that is too long',
}
const reasons: Readonly<Record<string, string>> = {
  ...fileReasons,
  ENOTEMPTY: 'already exists and is not empty; remove it or choose another folder',
}

/** An operating system error as a user reads it; any other error as it is. */
export function explained(path: string, error: unknown): unknown {
  if (error instanceof SecateurError) return error
  const code = codeOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SecateurError('does-not-fit', 'the disk is full', { file: path, cause: error })
  }
  const reason = code === undefined ? undefined : reasons[code]
  return reason === undefined ? error : badFile(path, undefined, reason, error)
}
