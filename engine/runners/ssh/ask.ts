import type {
  ClusterReport,
  ClusterSettings,
  DataCheck,
  JobContext,
  JobEstimate,
  JobOfTasks,
} from '../../contract/index.ts'
import { SecateurError } from '../../shared/errors.ts'
import { ConnectionLost, Relay } from './connection.ts'
import type { Frame } from './frames.ts'
import type { Login } from './login.ts'
import type { RelayRequest } from './messages.ts'
import { jobThere } from './job-there.ts'

/** Asks a login node one thing. */
async function ask(
  login: Login,
  request: RelayRequest,
  hear: (frame: Frame) => void,
  signal: AbortSignal,
): Promise<string | null> {
  using relay = await Relay.open(login, signal)
  try {
    return await relay.ask(request, hear)
  } catch (error) {
    if (error instanceof ConnectionLost) throw new SecateurError('unsupported', error.message, { cause: error })
    throw error
  }
}

/**
 * Ends what waits or runs of a sweep, or of an evaluation in parts, on the cluster of a login node. Returns in words what came of it.
 *
 * @throws SecateurError where the login node or its scheduler does not answer or refuses
 */
export async function cancelThere(login: Login, note: (text: string) => void, signal: AbortSignal): Promise<string> {
  const hear = ({ message }: Frame) => {
    if (message.type === 'note') note(message.message)
  }
  return (await ask(login, { ask: 'cancel', folder: login.remote }, hear, signal)) ?? ''
}

/**
 * What a job would need on a login node, and what its files hold there.
 *
 * @param context.resume whether it goes on with what the node has of it
 * @throws SecateurError as `cancelThere` does
 */
export async function estimateThere(
  job: JobOfTasks,
  cluster: ClusterSettings,
  login: Login,
  { resume, signal }: Pick<JobContext, 'resume' | 'signal'>,
): Promise<{ estimate: JobEstimate; data: DataCheck }> {
  const found: { estimate: JobEstimate; data: DataCheck }[] = []
  const hear = ({ message }: Frame) => {
    if (message.type === 'estimated') found.push(message)
  }
  await ask(login, { ask: 'estimate', job: jobThere(job, cluster, login), resume }, hear, signal)
  return answered(found, login)
}

/** What a login node has of a scheduler. @throws SecateurError as `cancelThere` does */
export async function clusterThere(login: Login, signal: AbortSignal): Promise<ClusterReport> {
  const found: ClusterReport[] = []
  const hear = ({ message }: Frame) => {
    if (message.type === 'cluster') found.push(message.report)
  }
  await ask(login, { ask: 'cluster' }, hear, signal)
  return answered(found, login)
}

function answered<T extends object>([found]: readonly T[], { destination }: Login): T {
  if (!found) throw new SecateurError('unsupported', `${destination} did not answer what it was asked`)
  return found
}
