import { z } from 'zod'
import { readPath } from './names.ts'

/** What Slurm calls a partition or an account. */
const word = z
  .string()
  .regex(/^[\w.,@+:/-]{1,200}$/, 'is no name that Slurm knows: letters, digits and . , @ + : / - _')

/** Minutes of a time limit as Slurm writes it: minutes, hours:minutes:seconds, days-hours:minutes and so on. */
export function minutesOf(time: string): number {
  const [days, rest] = time.includes('-') ? (time.split('-') as [string, string]) : ['0', time]
  const parts = rest.split(':').map(Number)
  const [first = 0, second = 0, third = 0] = parts
  if (time.includes('-')) return Number(days) * 1440 + first * 60 + second + third / 60
  return parts.length === 3 ? first * 60 + second + third / 60 : first + second / 60
}

/** State is saved this long before a time limit; Slurm may send its signal up to a minute earlier. */
export const secondsToSave = 120
const leastMinutes = 5

/** Where and how a cluster's scheduler does the runs of a sweep. */
export const clusterSchema = z.strictObject({
  scheduler: z.literal('slurm').default('slurm'),
  partition: word.optional().describe('partition that the runs go to'),
  account: word.optional().describe('account that they are charged to'),
  gpus: z.int().min(0).max(64).default(0).describe('graphics cards of each run'),
  cpus: z
    .int()
    .min(1)
    .max(4096)
    .default(4)
    .describe('processors of each run, and its threads where its settings do not say'),
  memory: z
    .number()
    .gt(0)
    .max(100_000)
    .optional()
    .describe("gigabytes of memory of each run; the partition's default unless given"),
  time: z
    .string()
    .regex(
      /^(\d{1,4}-)?\d{1,6}(:\d{1,2}){0,2}$/,
      'is no time limit of Slurm: minutes, hours:minutes:seconds or days-hours:minutes:seconds',
    )
    .refine(
      (time) => minutesOf(time) >= leastMinutes,
      `must be ${leastMinutes} minutes or more: the state is saved two minutes before the end`,
    )
    .optional()
    .describe('time limit of each start of a run, as 12:00:00; one that is not done by then is sent again and goes on'),
  parallel: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe('runs at a time at most; as many as the cluster has room for unless given'),
  setup: readPath.optional().describe('shell file that a node reads before a run: modules, Node, a container'),
  secateur: readPath
    .optional()
    .describe("Secateur's folder as the nodes see it; that of the copy which submits unless given"),
  resubmit: z.boolean().default(true).describe('submit again what failed or was cancelled'),
  watch: z.boolean().default(true).describe('stay until all runs are over'),
})
export type ClusterSettings = z.infer<typeof clusterSchema>

/** A task of an array as the scheduler had it when it was last asked. */
export const queuedTaskSchema = z.object({
  /** `17_3`: task 3 of array 17. */
  id: z.string(),
  /** `PENDING`, `RUNNING`, `COMPLETING` and so on. */
  state: z.string(),
  /** '' while it waits. */
  node: z.string(),
  /** For how long it has run, as Slurm writes times. */
  time: z.string(),
  /** Why it waits, where it does. */
  reason: z.string(),
})
export type QueuedTask = z.infer<typeof queuedTaskSchema>

/** What this computer has of a scheduler. */
export const clusterReportSchema = z.object({
  /** As the scheduler's own commands name it; null where there are none, so that nothing can be submitted from here. */
  version: z.string().nullable(),
  /** What is missing and what to do about it, or why nothing more is known. */
  message: z.string().nullable(),
  partitions: z.array(z.string()),
})
export type ClusterReport = z.infer<typeof clusterReportSchema>

/** How a run of a sweep stands on its cluster. */
export const taskReportSchema = z.object({
  /** Null where the scheduler did not have it when it was last asked. */
  task: queuedTaskSchema.nullable(),
  /** When that was; null where it never was, or everything is over. */
  asked: z.string().nullable(),
  /** What its task has printed: the file, and its end. */
  output: z.object({ file: z.string(), text: z.string() }).nullable(),
})
export type TaskReport = z.infer<typeof taskReportSchema>
