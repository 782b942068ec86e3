import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { type ClusterSettings, secondsToSave } from '../../contract/index.ts'
import { continuedJob } from '../../runs/run-files.ts'
import { SecateurError } from '../../shared/errors.ts'
import { writeFileAtomically, writeJson } from '../../shared/files.ts'
import { keyOf, type RunnerTask } from '../runner.ts'
import {
  forgetFailure,
  jobFileOf,
  logFolderOf,
  scriptFileOf,
  type Submission,
  type Submissions,
  writeSubmissions,
} from './cluster-folder.ts'
import { slurm } from './commands.ts'
import { batchScript } from './script.ts'

/** Tasks of an array that every Slurm takes, unless its own limit can be read. */
const usualArray = 1000

/**
 * Hands tasks to the scheduler as one array, or as several where they are more than it takes in one. What is about to be
 * submitted is written down first, so that an array is found again by its name where the answer was lost.
 *
 * @param known changed and written with every array
 * @param after arrays that must be over before these tasks begin
 * @returns numbers of the arrays
 * @throws SecateurError with the words of sbatch where it refuses
 */
export async function submit(
  folder: string,
  tasks: readonly RunnerTask[],
  known: Submissions,
  after: readonly string[],
): Promise<string[]> {
  if (tasks.length === 0) return []
  mkdirSync(logFolderOf(folder), { recursive: true })
  for (const task of tasks) {
    forgetFailure(folder, keyOf(task))
    writeJson(jobFileOf(folder, keyOf(task)), withThreads(task, known.cluster))
  }
  const size = await mostInArray()
  const arrays: string[] = []
  for (let at = 0; at < tasks.length; at += size) {
    // A limit of runs at a time holds for each array alone: one waits for the other.
    const previous = known.cluster.parallel === undefined ? [] : arrays.slice(-1)
    arrays.push(await submitArray(folder, tasks.slice(at, at + size), known, previous.length > 0 ? previous : after))
  }
  return arrays
}

async function submitArray(
  folder: string,
  tasks: readonly RunnerTask[],
  known: Submissions,
  after: readonly string[],
): Promise<string> {
  const name = `secateur-${randomBytes(4).toString('hex')}`
  const script = scriptFileOf(folder, name)
  const names = tasks.map(keyOf)
  const { setup, secateur } = known.cluster
  writeFileAtomically(
    script,
    batchScript({
      folder: resolve(folder),
      names,
      folders: tasks.map(({ job }) => resolve(job.out)),
      setup: setup === undefined ? undefined : resolve(setup),
      secateur: secateur === undefined ? undefined : resolve(secateur),
    }),
  )
  const submission: Submission = { name, array: null, tasks: names, submitted: new Date().toISOString() }
  known.submissions.push(submission)
  writeSubmissions(folder, known)
  const said = await slurm('sbatch', [...sbatchOptions(folder, tasks.length, name, known.cluster, after), script])
  // `17`, or `17;cluster` where there are several clusters.
  const array = /^(\d+)(;|$)/m.exec(said.trim())?.[1]
  if (array === undefined)
    throw new SecateurError('unsupported', `sbatch: it said ${JSON.stringify(said)} in place of a number`)
  submission.array = array
  writeSubmissions(folder, known)
  return array
}

/** @param tasks how many */
export function sbatchOptions(
  folder: string,
  tasks: number,
  name: string,
  { partition, account, gpus, cpus, memory, time, parallel }: ClusterSettings,
  after: readonly string[],
): string[] {
  // In a name of a log file, % begins what Slurm puts in.
  const logs = resolve(logFolderOf(folder)).replaceAll('%', '%%')
  return [
    '--parsable',
    `--array=0-${tasks - 1}${parallel === undefined ? '' : `%${parallel}`}`,
    '--requeue',
    `--signal=B:USR1@${secondsToSave}`,
    `--job-name=${name}`,
    `--chdir=${process.cwd()}`,
    `--output=${logs}/%A_%a.log`,
    '--open-mode=append',
    '--nodes=1',
    '--ntasks=1',
    `--cpus-per-task=${cpus}`,
    ...(after.length === 0 ? [] : [`--dependency=afterany:${after.join(':')}`]),
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
    ...(account === undefined ? [] : [`--account=${account}`]),
    ...(gpus === 0 ? [] : [`--gres=gpu:${gpus}`]),
    ...(memory === undefined ? [] : [`--mem=${Math.ceil(memory * 1024)}M`]),
    ...(time === undefined ? [] : [`--time=${time}`]),
  ]
}

async function mostInArray(): Promise<number> {
  const config = await slurm('scontrol', ['show', 'config'])
  const most = Number(/^MaxArraySize\s*=\s*(\d+)/m.exec(config)?.[1] ?? usualArray)
  if (most === 0)
    throw new SecateurError(
      'unsupported',
      'this cluster takes no job arrays (its MaxArraySize is 0): ask those who run it',
    )
  return Math.max(1, most - 1)
}

/** A run that has begun goes on with the threads that it had; another takes the processors that it is given. */
function withThreads({ job }: RunnerTask, { cpus }: ClusterSettings): RunnerTask['job'] {
  const earlier = continuedJob(job.out, job.kind)
  // What was started without a number of threads goes on without one: another number is refused.
  return { ...job, threads: earlier ? earlier.threads : (job.threads ?? cpus) }
}
