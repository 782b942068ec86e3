import { z } from 'zod'
import { path, readPath } from './names.ts'

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

/**
 * Where a login node is reached with ssh; what is left out is for ssh's own settings to say, and the host may be an alias of
 * theirs. Nothing in it can be taken for an option of ssh.
 */
const loginAddress = z
  .string()
  .regex(
    /^ssh:\/\/([A-Za-z0-9_][\w.-]*@)?([A-Za-z0-9_][\w.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?\/?$/,
    'is no address like ssh://user@login or ssh://user@login:2222',
  )

/** A folder of a cluster, which another system may run on than on this computer. */
const isFolderThere = (folder: string): boolean => /^\/[^\p{Cc}]+$/u.test(folder)

/** Where and how a cluster's scheduler does the runs of a sweep. */
const settings = z.strictObject({
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
  via: loginAddress
    .optional()
    .describe('login node, as ssh://user@login:port, where this computer does not see the shared folder'),
  remote: path
    .optional()
    .describe('with --via, the folder of the sweep on the cluster; --out takes a copy of what is small'),
  map: z
    .record(path, path)
    .optional()
    .describe('with --via, a folder of this computer and where the cluster has it, for paths that differ'),
  fetchOutputs: z.boolean().default(false).describe('with --via, fetch the weights of finished runs too'),
})

export const clusterSchema = settings.superRefine(({ via, remote, secateur, map, fetchOutputs }, context) => {
  const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message })
  if (via === undefined) {
    if (remote !== undefined) refuse('remote', 'is a folder of a cluster that is reached over ssh: add via')
    if (map !== undefined) refuse('map', 'is about a cluster that is reached over ssh: add via')
    if (fetchOutputs) refuse('fetchOutputs', 'is said of a cluster that is reached over ssh: add via')
    return
  }
  const folders = { remote, secateur }
  for (const [field, folder] of Object.entries(folders))
    if (folder === undefined || !isFolderThere(folder))
      refuse(field, 'is needed over ssh: a path of the cluster that begins with /')
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
