import { isAbsolute, join, normalize, relative, resolve, sep } from 'node:path'
import { changePaths, isReachedOverSsh, type JobPath } from '../contract/index.ts'

/**
 * The same job with paths that mean the same from every folder, each spelt in one way. Of a job that a cluster does which is
 * reached over ssh, only what is written here is: the other paths are paths there, and stay as they were said.
 *
 * @param from the folder that relative paths start at
 */
export function withAbsolutePaths<Given extends object>(job: Given, from = process.cwd()): Given {
  const isFar = isReachedOverSsh(job)
  return changePaths(job, (place) => (isFar && !isWrittenHere(job, place) ? place.path : resolve(from, place.path)))
}

/** Files of an evaluation are made here of what its parts wrote there; runs of a sweep write there alone. */
const isWrittenHere = (job: { kind?: unknown }, { field, use }: JobPath): boolean =>
  use === 'written' && (field === 'out' || job.kind === 'evaluate')

/**
 * The job that is kept in a run folder, with paths that mean what they meant when it was started. Earlier versions kept them
 * as they were said; where that was shows in the folder that the run was to be written to, if this was said in the same way.
 */
export function asItWasMeant<Given extends object>(job: Given, folder: string): Given {
  const from = 'out' in job && typeof job.out === 'string' ? startOf(job.out, folder) : null
  return from === null ? job : withAbsolutePaths(job, from)
}

/** The folder from which a relative path leads to another folder; null where that cannot be told. */
function startOf(path: string, folder: string): string | null {
  if (isAbsolute(path)) return null
  const names = normalize(path)
    .split(sep)
    .filter((name) => name !== '' && name !== '.')
  if (names.includes('..')) return null
  const start = resolve(folder, ...names.map(() => '..'))
  return relative(start, resolve(folder)) === join('', ...names).replace(/^\.$/, '') ? start : null
}
