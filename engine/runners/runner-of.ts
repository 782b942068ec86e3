import type { ClusterSettings } from '../contract/index.ts'
import { localRunner } from './local.ts'
import type { Runner } from './runner.ts'
import { slurmRunner } from './slurm/runner.ts'
import { loginOf } from './ssh/login.ts'
import { sshRunner } from './ssh/runner.ts'

/** Where tasks are done by the settings of a job. */
export function runnerOf(cluster: ClusterSettings | undefined): Runner {
  if (!cluster) return localRunner
  const login = loginOf(cluster)
  return login ? sshRunner(cluster, login) : slurmRunner(cluster)
}
