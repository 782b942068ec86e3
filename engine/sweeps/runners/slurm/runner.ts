import type { ClusterSettings } from '../../../contract/index.ts'
import { SecateurError } from '../../../shared/errors.ts'
import { resultIn } from '../../sweep-folder.ts'
import { type SweepListener, type SweepRunner, type SweepTask, type SweepWork, tasksOf } from '../runner.ts'
import { readSubmissions, type Submissions, taskIdsOf, writeSubmissions } from './cluster-folder.ts'
import { readQueue } from './queue.ts'
import { recover } from './recover.ts'
import { keyOf, submit } from './submit.ts'
import { watch } from './watch.ts'

/**
 * Runs by Slurm: each is a task of an array, on a node that sees the sweep's folder. What waits or runs there already is
 * not submitted again; what is known of a run comes from its folder, and the scheduler only informs.
 */
export const slurmRunner = (cluster: ClusterSettings): SweepRunner => ({
  async work(work, listener, signal) {
    const known = knownOf(work, cluster)
    await submitMissing(work, known, listener)
    if (!cluster.watch) throw new SecateurError('interrupted', leftAlone(known))
    try {
      await watch(work, known, listener, signal)
    } catch (error) {
      if (signal.aborted) throw new SecateurError('interrupted', leftAlone(known), { cause: error })
      throw error
    }
  },
})

function knownOf({ folder }: SweepWork, cluster: ClusterSettings): Submissions {
  const known: Submissions = { version: 1, cluster, submissions: readSubmissions(folder)?.submissions ?? [] }
  writeSubmissions(folder, known)
  return known
}

async function submitMissing(work: SweepWork, known: Submissions, listener: SweepListener) {
  const { folder, dense } = work
  const open = tasksOf(work).filter(({ job }) => resultIn(job.out) === null)
  if (open.length === 0) return
  await recover(folder, known)
  const queued = await readQueue(known.submissions.map(({ name }) => name))
  const ids = taskIdsOf(known)
  const missing = open.filter((task) => {
    const id = ids.get(keyOf(task))
    return id === undefined || (known.cluster.resubmit && !queued.has(id))
  })
  const denseFirst = missing.filter((task) => task === dense)
  const [before] = await submit(folder, denseFirst, known, null)
  const waiting = before ?? (dense && isQueued(dense, ids, queued))
  const rest = missing.filter((task) => task !== dense)
  const takesDense = rest.some(({ job }) => job.kind === 'prune' && job.evaluateDense)
  const arrays = await submit(folder, rest, known, takesDense ? waiting : null)
  const there = open.filter((task) => queued.has(ids.get(keyOf(task)) ?? '')).length
  if (there > 0) listener.note(`${there} of ${open.length} tasks wait or run on the cluster already`, 'info')
  const numbers = [...(before === undefined ? [] : [before]), ...arrays]
  if (numbers.length > 0)
    listener.note(
      `submitted ${missing.length} ${missing.length === 1 ? 'task' : 'tasks'} to Slurm as ${numbers.join(', ')}`,
      'info',
    )
}

/** The array that a task is in, where it waits or runs. */
function isQueued(
  task: SweepTask,
  ids: ReadonlyMap<string, string>,
  queued: ReadonlyMap<string, unknown>,
): string | null {
  const id = ids.get(keyOf(task))
  return id !== undefined && queued.has(id) ? id.split('_')[0]! : null
}

/** @param where of Slurm, where it is on another computer */
export const leftAlone = ({ submissions }: Pick<Submissions, 'submissions'>, where = ''): string =>
  `the runs go on in Slurm${where} (${submissions.map(({ array }) => array).join(', ')}): --resume watches them and submits what is missing, --cancel ends them`
