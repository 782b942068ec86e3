// What a sweep on a cluster keeps in its folder: job files, scripts, logs, what was submitted and what failed.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import {
  type ClusterSettings,
  clusterSchema,
  failureSchema,
  type QueuedTask,
  queuedTaskSchema,
} from '../../../contract/index.ts'
import type { Failure } from '../../../shared/errors.ts'
import { readJson, writeJson } from '../../../shared/files.ts'

export const submissionSchema = z.object({
  /** Its name in the queue, by which it is found again where sbatch's answer was lost. */
  name: z.string().regex(/^[\w-]+$/),
  /** Number of the array; null until sbatch has answered. */
  array: z.string().regex(/^\d+$/).nullable(),
  /** Names of its tasks, in the order of their numbers. */
  tasks: z.array(z.string()),
  submitted: z.string(),
})
export type Submission = z.infer<typeof submissionSchema>

const submissionsSchema = z.object({
  version: z.literal(1),
  cluster: clusterSchema,
  submissions: z.array(submissionSchema),
})
export type Submissions = z.infer<typeof submissionsSchema>

export const queueSchema = z.object({
  /** When the scheduler answered last. */
  answered: z.string().nullable(),
  /** Why it does not answer any more. */
  problem: z.string().nullable(),
  /** By the names of the runs. */
  tasks: z.record(z.string(), queuedTaskSchema),
})
/** What the scheduler said last to whoever follows a sweep. */
export type QueueFile = z.infer<typeof queueSchema>

const clusterFolderOf = (sweep: string) => join(sweep, 'cluster')
const submissionsFileOf = (sweep: string) => join(clusterFolderOf(sweep), 'submissions.json')
/** In the sweep's folder, with slashes. @param task its name in the queue */
export const failurePathOf = (task: string): string => `cluster/failures/${task}.json`
const failureFileOf = (sweep: string, task: string) => join(sweep, failurePathOf(task))

export const jobFileOf = (sweep: string, task: string): string => join(clusterFolderOf(sweep), 'jobs', `${task}.json`)
export const scriptFileOf = (sweep: string, submission: string): string =>
  join(clusterFolderOf(sweep), `${submission}.sh`)
export const logFolderOf = (sweep: string): string => join(clusterFolderOf(sweep), 'logs')
/** In the sweep's folder, with slashes. @param id of a task, as `17_3` */
export const logPathOf = (id: string): string => `cluster/logs/${id}.log`
export const logFileOf = (sweep: string, id: string): string => join(sweep, logPathOf(id))

/** What was submitted so far; null where the sweep was never on a cluster. */
export function readSubmissions(sweep: string): Submissions | null {
  const file = submissionsFileOf(sweep)
  return existsSync(file) ? readJson(file, submissionsSchema) : null
}

export const writeSubmissions = (sweep: string, submissions: Submissions): void =>
  writeJson(submissionsFileOf(sweep), submissions)

/** Keeps in words why a task could not be done: it may have come no further than to be refused. */
export const keepFailure = (sweep: string, task: string, failure: Failure): void =>
  writeJson(failureFileOf(sweep, task), failure)

export const forgetFailure = (sweep: string, task: string): void => rmSync(failureFileOf(sweep, task), { force: true })

export function readFailure(sweep: string, task: string): Failure | null {
  const file = failureFileOf(sweep, task)
  return existsSync(file) ? readJson(file, failureSchema) : null
}

const queueFileOf = (sweep: string) => join(clusterFolderOf(sweep), 'queue.json')

/** Keeps what the scheduler said for those who look at the folder alone. */
export const keepQueue = (sweep: string, queue: QueueFile): void => writeJson(queueFileOf(sweep), queue)

/** Nothing waits or runs any more. */
export const forgetQueue = (sweep: string): void => rmSync(queueFileOf(sweep), { force: true })

/** Milliseconds after which an answer says nothing any more: whoever follows a sweep asks far more often. */
const patience = 5 * 60_000

/** Null where nobody asks the scheduler, and once everything is over. */
export function readQueueFile(sweep: string): QueueFile | null {
  const file = queueFileOf(sweep)
  if (!existsSync(file)) return null
  const queue = readJson(file, queueSchema)
  const age = Date.now() - (queue.answered === null ? 0 : Date.parse(queue.answered))
  return queue.problem !== null || age < patience ? queue : null
}

export const taskOf = (queue: QueueFile | null, name: string): QueuedTask | null =>
  (queue && Object.hasOwn(queue.tasks, name) ? queue.tasks[name] : null) ?? null

/** Where in the queue every task is that was ever submitted: that of its last array. */
export const taskIdsOf = ({ submissions }: Submissions): Map<string, string> =>
  new Map(
    submissions.flatMap(({ array, tasks }) =>
      array === null ? [] : tasks.map((task, index) => [task, `${array}_${index}`] as const),
    ),
  )

/** The cluster that a sweep was last on; null where it never was on one. */
export const clusterOf = (sweep: string): ClusterSettings | null => readSubmissions(sweep)?.cluster ?? null
