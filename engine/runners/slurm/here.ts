import type { ClusterReport } from '../../contract/index.ts'
import { SecateurError } from '../../shared/errors.ts'
import { isMissing, slurm } from './commands.ts'

/** What this computer has of Slurm: whether sweeps can be submitted from it, and the partitions that they may go to. */
export async function clusterHere(): Promise<ClusterReport> {
  try {
    const version = (await slurm('sbatch', ['--version'])).trim()
    return { version, ...(await partitionsOf()) }
  } catch (error) {
    if (!(error instanceof SecateurError)) throw error
    return { version: null, message: isMissing(error) ? noSlurm : error.message, partitions: [] }
  }
}

const noSlurm =
  "there is no sbatch on this computer, so that nothing can be submitted from it: have Slurm's commands installed here, or start Secateur where they are, on a login node, and open it in a browser"

/** A controller that is away says nothing against a sweep that is submitted later. */
async function partitionsOf(): Promise<Pick<ClusterReport, 'message' | 'partitions'>> {
  try {
    const text = await slurm('sinfo', ['--noheader', '--format=%R'])
    const names = text.split('\n').map((line) => line.trim())
    return { message: null, partitions: [...new Set(names)].filter(Boolean) }
  } catch (error) {
    if (error instanceof SecateurError) return { message: error.message, partitions: [] }
    throw error
  }
}
