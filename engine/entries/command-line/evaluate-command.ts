import type { Command } from 'commander'
import { type EvaluateJob, evaluateSchema } from '../../contract/index.ts'
import { badSetting } from '../../shared/errors.ts'
import { jobFrom, optionFor } from './options.ts'
import {
  addPlaceFlags,
  cancelTasks,
  clusterFrom,
  lastClusterOf,
  placedBy,
  type PlaceFlags,
  runOrLeave,
} from './place-flags.ts'
import type { Commands } from './tool-command.ts'

/** Lets `secateur eval` be done in parts, on this computer or on a cluster. */
export function addParts(command: Command, { action, reporter }: Pick<Commands, 'action' | 'reporter'>): void {
  command.addOption(optionFor(evaluateSchema, 'parallel'))
  // What parts write is small.
  addPlaceFlags(command, ['fetchOutputs'])
  command.action(
    action(async (checkpoint: string | undefined, flags: PlaceFlags) => {
      const out = flags['out']
      if (flags.cancel && typeof out === 'string')
        return await cancelTasks(out, clusterFrom(placedBy(flags), await lastClusterOf(out)), reporter)
      if (flags.cancel) throw badSetting('--out', 'is needed: the folder of the evaluation that is to be ended')
      return await runOrLeave(await evaluationFrom(checkpoint, flags), flags, reporter)
    }),
  )
}

/** The evaluation that flags describe. @throws SecateurError that names the flag or setting that is wrong */
export async function evaluationFrom(checkpoint: string | undefined, flags: PlaceFlags): Promise<EvaluateJob> {
  const placed = placedBy(flags)
  const job = jobFrom('evaluate', evaluateSchema, { checkpoint }, placed.own) as EvaluateJob
  const earlier = flags.resume && job.out !== undefined ? await earlierIn(job.out) : {}
  const cluster = clusterFrom(placed, earlier.cluster ?? job.cluster ?? null)
  const { parallel: inFile, cluster: _, ...rest } = job
  if (cluster) return { ...rest, cluster }
  const parallel =
    checkedParallel(placed.parallel) ?? inFile ?? earlier.parallel ?? (placed.on === 'local' ? 1 : undefined)
  return { ...rest, ...(parallel !== undefined && { parallel }) }
}

/** How the evaluation in a folder was done. */
async function earlierIn(out: string): Promise<Pick<EvaluateJob, 'parallel' | 'cluster'>> {
  const { jobIn } = await import('../../runs/run-files.ts')
  const earlier = jobIn(out)
  const cluster = await lastClusterOf(out)
  return {
    ...(cluster && { cluster }),
    ...(earlier?.kind === 'evaluate' && earlier.parallel !== undefined && { parallel: earlier.parallel }),
  }
}

function checkedParallel(given: number | undefined): number | undefined {
  const { data, success } = evaluateSchema.shape.parallel.safeParse(given)
  if (!success) throw badSetting('--parallel', 'is a whole number from 1 to 64')
  return data
}
