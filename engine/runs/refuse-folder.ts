// Why a run is not begun, or not continued, in a folder.
import { existsSync, readdirSync } from 'node:fs'
import type { Job } from '../contract/index.ts'
import { badSetting } from '../shared/errors.ts'
import { changedSetting } from './as-started.ts'
import { isRepeated, neverStarted, readRunFile } from './run-files.ts'

/** @throws SecateurError where a folder holds something else than a run that is begun anew */
export function refuseUsed(path: string, job: Job): void {
  if (existsSync(path) && readdirSync(path).length > 0 && !neverStarted(path) && !isRepeated(path, job))
    throw badSetting(
      'out',
      `${path} holds something already: name another folder, or continue the run in it with --resume`,
    )
}

/** @throws SecateurError where a folder holds a run that was started with other settings */
export function refuseOther(path: string, job: Job): void {
  const changed = changedSetting(readRunFile(path).job, job)
  if (changed)
    throw badSetting(
      changed.name,
      `the run in ${path} was started with ${JSON.stringify(changed.earlier)}, not ${JSON.stringify(changed.now)}: a run is continued as it was started`,
    )
}
