import type { RunnerSettings } from '../../contract/index.ts'
import { badSetting } from '../../shared/errors.ts'

interface Given {
  runner: RunnerSettings['runner']
  type?: string | readonly string[] | undefined
}

/**
 * Refuses `--type` beside `--runner secateur`. Settings of a run and of the app keep their type for when llama.cpp is asked
 * again, but what a command line says is meant.
 *
 * @throws SecateurError where the type would be left aside
 */
export function refuseUnusedType({ runner, type }: Given): void {
  if (runner !== 'secateur' || type === undefined) return
  throw badSetting(
    '--type',
    `${[type].flat().join(', ')} is how llama.cpp would hold the weights, and Secateur is asked for: leave one of them out`,
  )
}
