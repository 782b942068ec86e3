import type { QueuedTask } from '../../contract/index.ts'
import { jobField } from '../../runs/scheduler-job.ts'
import { SecateurError } from '../../shared/errors.ts'
import { isUnknownJob, slurm } from './commands.ts'

/**
 * The tasks that wait or run, of arrays by their names, by id.
 *
 * @throws SecateurError where the scheduler does not answer
 */
export async function readQueue(names: readonly string[]): Promise<Map<string, QueuedTask>> {
  if (names.length === 0) return new Map()
  const user = process.getuid ? [`--user=${process.getuid()}`] : []
  const fields = ['%i', '%T', '%N', '%M', '%r'].join('|')
  const text = await slurm('squeue', [
    '--noheader',
    '--array',
    ...user,
    `--name=${names.join(',')}`,
    `--format=${fields}`,
  ])
  return new Map(parseQueue(text).map((task) => [task.id, task]))
}

export const parseQueue = (text: string): QueuedTask[] =>
  text.split('\n').flatMap((line) => {
    const [id, state, node, time, ...reason] = line.trim().split('|')
    return id && state ? [{ id, state, node: node ?? '', time: time ?? '', reason: reason.join('|') }] : []
  })

/** How a task ended, as far as the scheduler remembers. */
export interface EndedTask {
  /** `COMPLETED`, `FAILED`, `NODE_FAIL`, `CANCELLED` and so on. */
  state: string
  /** Exit code of its script; that of a signal is 128 and its number. */
  code: number | null
  node: string
}

/** How a task that is not queued any more ended; null where neither the controller nor accounting knows. */
export async function readEnd(id: string): Promise<EndedTask | null> {
  try {
    return parseJob(await slurm('scontrol', ['--oneliner', 'show', 'job', id]))
  } catch (error) {
    if (!isUnknownJob(error)) throw error
  }
  try {
    return parseAccounting(
      await slurm('sacct', [
        '--noheader',
        '--parsable2',
        '--allocations',
        `--jobs=${id}`,
        '--format=State,ExitCode,NodeList',
      ]),
    )
  } catch (error) {
    // Many clusters keep no accounting, and some have no sacct.
    if (error instanceof SecateurError) return null
    throw error
  }
}

/** @param text a line of `scontrol --oneliner show job` */
export function parseJob(text: string): EndedTask | null {
  const state = jobField(text, 'JobState')
  return state === undefined
    ? null
    : { state, code: codeOf(jobField(text, 'ExitCode')), node: jobField(text, 'NodeList') ?? '' }
}

/** @param text lines `STATE|CODE:SIGNAL|NODES`; the last one is of the last start */
export function parseAccounting(text: string): EndedTask | null {
  const [state, code, node] = (text.trim().split('\n').at(-1) ?? '').split('|')
  // `CANCELLED by 1000` says who did it.
  return state ? { state: state.split(' ')[0]!, code: codeOf(code), node: node ?? '' } : null
}

/** @param text `CODE:SIGNAL` */
function codeOf(text: string | undefined): number | null {
  const [code, signal] = (text ?? '').split(':').map(Number)
  if (code === undefined || signal === undefined || Number.isNaN(code + signal)) return null
  return signal > 0 ? 128 + signal : code
}
