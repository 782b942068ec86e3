// What is asked of a cluster, whether this computer is part of it or reaches it over ssh.
import type { ClusterReport, ClusterSettings, ParsedServiceParams } from '../contract/index.ts'
import { cancelOnCluster } from './slurm/cancel.ts'
import { clusterOf } from './slurm/cluster-folder.ts'
import { clusterHere } from './slurm/here.ts'
import { cancelThere, clusterThere } from './ssh/ask.ts'
import { loginOf } from './ssh/login.ts'

/** What this computer, or a login node that it reaches over ssh, has of Slurm. @throws SecateurError where that does not answer */
export async function clusterReport(
  { cluster }: ParsedServiceParams<'cluster'>,
  { signal }: { signal: AbortSignal },
): Promise<ClusterReport> {
  const login = cluster ? loginOf(cluster) : null
  return await (login ? clusterThere(login, signal) : clusterHere())
}

/**
 * Ends what waits or runs of a sweep, or of an evaluation in parts, wherever its cluster is. Returns in words what came of it.
 *
 * @param given cluster of one of which nothing is known here
 * @throws SecateurError where it was never on a cluster, and where that does not answer or refuses
 */
export async function endTasks(
  folder: string,
  note: (text: string) => void,
  { given, signal }: { given?: ClusterSettings | undefined; signal: AbortSignal },
): Promise<string> {
  const cluster = clusterOf(folder) ?? given
  const login = cluster && loginOf(cluster)
  return await (login ? cancelThere(login, note, signal) : cancelOnCluster(folder, note, signal))
}

/** The same, asked by the app. */
export const cancelSweep = (
  { path }: ParsedServiceParams<'cancelSweep'>,
  { signal }: { signal: AbortSignal },
): Promise<string> => endTasks(path, () => {}, { signal })
