import { setTimeout } from 'node:timers/promises'
import { badSetting } from '../../shared/errors.ts'
import { forgetQueue, readSubmissions } from './cluster-folder.ts'
import { slurm } from './commands.ts'
import { readQueue } from './queue.ts'
import { recover } from './recover.ts'

/** Milliseconds that tasks have to leave the queue, in looks a second apart: Slurm kills what still runs after half a minute. */
const looks = 45

/**
 * Ends what waits or runs of a sweep, or of an evaluation in parts, on this computer's cluster; what runs saves its state first. Returns in words what came of it.
 *
 * @throws SecateurError where it was never on a cluster, and where the scheduler does not answer or refuses
 */
export async function cancelOnCluster(
  folder: string,
  note: (text: string) => void,
  signal?: AbortSignal,
): Promise<string> {
  const known = readSubmissions(folder)
  if (!known) throw badSetting('--cancel', `what is in ${folder} was never on a cluster`)
  await recover(folder, known)
  const names = known.submissions.map(({ name }) => name)
  const before = await readQueue(names)
  if (before.size === 0) return 'nothing of it waits or runs on the cluster'
  const arrays = [...new Set([...before.keys()].map((id) => id.split('_')[0]!))]
  await slurm('scancel', arrays)
  let left = before.size
  note('waiting until what ran has saved its state; Ctrl-C ends the waiting alone')
  for (let look = 0; left > 0 && look < looks; look++) {
    if (look > 0) await setTimeout(1000, undefined, { signal })
    left = (await readQueue(names)).size
  }
  if (left === 0) forgetQueue(folder)
  const rest = left === 0 ? '' : `; ${left} of them still end: squeue shows them`
  return `cancelled ${before.size} ${before.size === 1 ? 'task' : 'tasks'}; what ran has saved its state, and --resume goes on${rest}`
}
