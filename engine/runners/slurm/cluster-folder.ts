// What a sweep, or an evaluation in parts, keeps in its folder of a cluster: job files, scripts, logs, what was submitted and what failed.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import {
  type ClusterSettings,
  clusterSchema,
  failureSchema,
  type QueuedTask,
  queuedTaskSchema,
} from '../../contract/index.ts'
import type { Failure } from '../../shared/errors.ts'
import { readJson, writeJson } from '../../shared/files.ts'

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
  /** By the names of the tasks. */
  tasks: z.record(z.string(), queuedTaskSchema),
})
/** What the scheduler said last to whoever follows the tasks. */
export type QueueFile = z.infer<typeof queueSchema>

export const clusterFolderOf = (folder: string) => join(folder, 'cluster')
const submissionsFileOf = (folder: string) => join(clusterFolderOf(folder), 'submissions.json')
/** In the folder of the whole, with slashes. @param task its name in the queue */
export const failurePathOf = (task: string): string => `cluster/failures/${task}.json`
const failureFileOf = (folder: string, task: string) => join(folder, failurePathOf(task))

export const jobFileOf = (folder: string, task: string): string => join(clusterFolderOf(folder), 'jobs', `${task}.json`)
export const scriptFileOf = (folder: string, submission: string): string =>
  join(clusterFolderOf(folder), `${submission}.sh`)
export const logFolderOf = (folder: string): string => join(clusterFolderOf(folder), 'logs')
/** In the folder of the whole, with slashes. @param id of a task, as `17_3` */
export const logPathOf = (id: string): string => `cluster/logs/${id}.log`
export const logFileOf = (folder: string, id: string): string => join(folder, logPathOf(id))

/** What was submitted so far; null where it was never on a cluster. */
export function readSubmissions(folder: string): Submissions | null {
  const file = submissionsFileOf(folder)
  return existsSync(file) ? readJson(file, submissionsSchema) : null
}

export const writeSubmissions = (folder: string, submissions: Submissions): void =>
  writeJson(submissionsFileOf(folder), submissions)

/** Keeps in words why a task could not be done: it may have come no further than to be refused. */
export const keepFailure = (folder: string, task: string, failure: Failure): void =>
  writeJson(failureFileOf(folder, task), failure)

export const forgetFailure = (folder: string, task: string): void =>
  rmSync(failureFileOf(folder, task), { force: true })

export function readFailure(folder: string, task: string): Failure | null {
  const file = failureFileOf(folder, task)
  return existsSync(file) ? readJson(file, failureSchema) : null
}

const queueFileOf = (folder: string) => join(clusterFolderOf(folder), 'queue.json')

/** Keeps what the scheduler said for those who look at the folder alone. */
export const keepQueue = (folder: string, queue: QueueFile): void => writeJson(queueFileOf(folder), queue)

/** Nothing waits or runs any more. */
export const forgetQueue = (folder: string): void => rmSync(queueFileOf(folder), { force: true })

/** Milliseconds after which an answer says nothing any more: whoever follows tasks asks far more often. */
const patience = 5 * 60_000

/** Null where nobody asks the scheduler, and once everything is over. */
export function readQueueFile(folder: string): QueueFile | null {
  const file = queueFileOf(folder)
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

/** The cluster that what is in a folder was last on; null where it never was on one. */
export const clusterOf = (folder: string): ClusterSettings | null => readSubmissions(folder)?.cluster ?? null
