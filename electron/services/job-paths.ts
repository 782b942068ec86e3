import { type JobPath, pathsOfJob as pathsIn } from '../../engine/contract/index.ts'
import { SecateurError } from '../../engine/shared/errors.ts'
import type { Platform } from '../platform.ts'
import { ProblemError } from '../problems.ts'
import { requireAllowedWithin } from './allowed-paths.ts'

/** Every path that a job reads or writes. @throws ProblemError where the job is nested too deeply to be one */
export function pathsOfJob(job: object): JobPath[] {
  try {
    return pathsIn(job)
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    throw new ProblemError('bad-setting', error.message, { field: error.field })
  }
}

/**
 * Refuses a job that would read or write what the host may not touch, also through links in the folders that it names. Asked
 * when a run is made and again when it starts or goes on: hours lie between, and the job of an imported run came with it.
 *
 * @throws ProblemError of kind `refused`
 */
export const requireJobAllowed = (platform: Platform, job: object): Promise<void> =>
  requireAllowedWithin(
    platform,
    pathsOfJob(job).map(({ path }) => path),
  )
