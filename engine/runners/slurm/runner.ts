import type { ClusterSettings } from '../../contract/index.ts'
import { SecateurError } from '../../shared/errors.ts'
import { resultIn } from '../../runs/run-files.ts'
import { keyOf, type Runner, type RunnerListener, type RunnerTask, type RunnerWork, tasksOf } from '../runner.ts'
import { readSubmissions, type Submissions, taskIdsOf, writeSubmissions } from './cluster-folder.ts'
import { readQueue } from './queue.ts'
import { recover } from './recover.ts'
import { submit } from './submit.ts'
import { watch } from './watch.ts'

/**
 * Runs by Slurm: each is a task of an array, on a node that sees the folder of the whole. What waits or runs there already
 * is not submitted again; what is known of a run comes from its folder, and the scheduler only informs.
 */
export const slurmRunner = (cluster: ClusterSettings): Runner => ({
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

function knownOf({ folder }: RunnerWork, cluster: ClusterSettings): Submissions {
  const known: Submissions = { version: 1, cluster, submissions: readSubmissions(folder)?.submissions ?? [] }
  writeSubmissions(folder, known)
  return known
}

const isOpen = ({ job }: RunnerTask): boolean => resultIn(job.out) === null

async function submitMissing(work: RunnerWork, known: Submissions, listener: RunnerListener) {
  const { folder, stages } = work
  const open = tasksOf(work).filter(isOpen)
  if (open.length === 0) return
  await recover(folder, known)
  const queued = await readQueue(known.submissions.map(({ name }) => name))
  const ids = taskIdsOf(known)
  const isQueued = (task: RunnerTask) => queued.has(ids.get(keyOf(task)) ?? '')
  const isMissing = (task: RunnerTask) => !ids.has(keyOf(task)) || (known.cluster.resubmit && !isQueued(task))
  const submitted: string[] = []
  /** Arrays of the stages so far that are not over. */
  const before: string[] = []
  let missing = 0
  for (const { tasks, waits } of stages) {
    const ofStage = tasks.filter((task) => isOpen(task) && isMissing(task))
    const arrays = await submit(folder, ofStage, known, waits ? before : [])
    missing += ofStage.length
    submitted.push(...arrays)
    before.push(...arrays, ...arraysOf(tasks.filter(isQueued), ids))
  }
  const there = open.filter(isQueued).length
  if (there > 0) listener.note(`${there} of ${open.length} tasks wait or run on the cluster already`, 'info')
  if (missing > 0)
    listener.note(
      `submitted ${missing} ${missing === 1 ? 'task' : 'tasks'} to Slurm as ${submitted.join(', ')}`,
      'info',
    )
}

/** The arrays that tasks are in. */
const arraysOf = (tasks: readonly RunnerTask[], ids: ReadonlyMap<string, string>): string[] => [
  ...new Set(tasks.map((task) => ids.get(keyOf(task))!.split('_')[0]!)),
]

/** @param where of Slurm, where it is on another computer */
export const leftAlone = ({ submissions }: Pick<Submissions, 'submissions'>, where = ''): string =>
  `the runs go on in Slurm${where} (${submissions.map(({ array }) => array).join(', ')}): --resume watches them and submits what is missing, --cancel ends them`
