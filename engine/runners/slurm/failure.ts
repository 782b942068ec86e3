import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { errorOf, exitCodes, SecateurError } from '../../shared/errors.ts'
import { endOfFile } from '../../shared/files.ts'
import { logFileOf, readFailure } from './cluster-folder.ts'
import { type EndedTask, readEnd } from './queue.ts'
import { scriptCodes } from './script.ts'

/** Milliseconds in which a file that a node has written comes to be seen here: NFS keeps folders for up to a minute. */
const patience = 60_000

/**
 * Why a task has left the queue without a result, in words; null where its result may yet be seen.
 *
 * @param id in the queue; undefined for one that was never submitted
 * @param gone milliseconds since it was missed
 */
export async function failureOfTask(
  folder: string,
  task: string,
  id: string | undefined,
  gone: number,
): Promise<SecateurError | null> {
  const own = readFailure(folder, task)
  if (own) return errorOf(own)
  if (id === undefined) return new SecateurError('unsupported', 'it was not submitted: --resume does that')
  const end = await endOrNull(id)
  if (gone < patience && (end === null || mayBeSeenYet(end))) return null
  return new SecateurError('unsupported', `${endText(id, end)}; --resume submits it again${logText(folder, id)}`)
}

async function endOrNull(id: string): Promise<EndedTask | null> {
  try {
    return await readEnd(id)
  } catch (error) {
    if (error instanceof SecateurError) return null
    throw error
  }
}

/** Whether the process came to write how it ended. */
const mayBeSeenYet = ({ state, code }: EndedTask): boolean =>
  state === 'COMPLETED' || (state === 'FAILED' && code !== null && (code === 1 || isOurs(code)))

const isOurs = (code: number) => Object.entries(exitCodes).some(([kind, own]) => own === code && kind !== 'interrupted')

const byState: Record<string, string> = {
  CANCELLED: 'it was cancelled',
  NODE_FAIL: 'its node failed, and the scheduler did not send it again',
  TIMEOUT: 'its time limit passed before its state could be saved',
  DEADLINE: 'its deadline passed',
  OUT_OF_MEMORY: 'it took more memory than it was given: ask for more (--memory)',
  PREEMPTED: 'it was preempted, and the scheduler did not send it again',
  BOOT_FAIL: 'its node could not be started',
  COMPLETED:
    'the scheduler says that it ended well, but its folder holds no result: does this computer see the same folder?',
}

const byCode: Record<number, string> = {
  [exitCodes.interrupted]: 'it was stopped, with its state saved',
  [scriptCodes.notSentAgain]: 'its time was over and its state is saved, but scontrol requeue refused to send it again',
  [scriptCodes.noProgress]: 'it did no step within its time limit: ask for more time (--time)',
  [scriptCodes.noSetup]: 'the setup file failed',
  126: 'its node could not start Node',
  127: 'its node did not find Node: it must lie where the nodes see it, or be named in the setup file',
}

/** How a task ended by what the scheduler says. */
export function endText(id: string, end: EndedTask | null): string {
  if (end === null) return `task ${id} is not in the queue any more, and the scheduler does not know how it ended`
  const { state, code, node } = end
  const words = state === 'FAILED' ? codeText(code) : (byState[state] ?? `the scheduler says ${state}`)
  return `task ${id}${node && node !== '(null)' ? ` on ${node}` : ''}: ${words}`
}

function codeText(code: number | null): string {
  if (code === null) return 'it failed'
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128)?.[0]
  if (signal === 'SIGKILL')
    return 'it was killed (SIGKILL): by a person, or by the system because memory ran out (then ask for more: --memory)'
  return byCode[code] ?? (signal ? `it crashed (${signal})` : `it ended with code ${code}`)
}

/** The end of what the task printed, without what shells say of it, and where the rest is. */
function logText(folder: string, id: string): string {
  const file = logFileOf(folder, id)
  if (!existsSync(file)) return ` (there is no ${file}: does its node see that folder?)`
  const lines = endOfFile(file, 4000).trim().split('\n')
  const last = lines.findLast((line) => line !== '' && !/^slurmstepd|slurm_script: line \d+:/.test(line))
  return last === undefined ? '' : ` (${file} ends: ${last.slice(0, 300)})`
}
