import { badSetting } from '../shared/errors.ts'
import type { SweepRun } from './expand.ts'

/**
 * Refuses a file that several runs of a sweep would write, each in place of the one before.
 *
 * @throws SecateurError that names the setting and the file
 */
export function refuseSharedOutputs(runs: readonly SweepRun[]): void {
  for (const setting of ['predictions', 'lmEvalJson'] as const) {
    const paths = runs.flatMap(({ job }) => job.evaluation?.[setting] ?? [])
    const twice = paths.find((path, at) => paths.indexOf(path) < at)
    if (twice === undefined) continue
    const count = paths.filter((path) => path === twice).length
    throw badSetting(
      `base.evaluation.${setting}`,
      `${twice} would be written by ${count} runs, each in place of the one before: leave it out; the folder of every run keeps its predictions and scores`,
    )
  }
}
