import { execFile } from 'node:child_process'
import { saysUnknownJob } from '../../runs/scheduler-job.ts'
import { SecateurError, shortened } from '../../shared/errors.ts'

/** Slurm's own commands wait about this long for a controller that is busy. */
const patience = 90_000
const mostOutput = 64 << 20

/** What a user has set for squeue and sacct would change what they print. */
const environment = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SQUEUE|SACCT|SINFO)_/.test(name)))

/**
 * What a command of Slurm prints.
 *
 * @throws SecateurError with the command's own words where it refuses or does not answer, and where there is no Slurm
 */
export function slurm(program: string, args: readonly string[]): Promise<string> {
  const options = { timeout: patience, maxBuffer: mostOutput, env: environment() }
  return new Promise((done, failed) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (!error) return done(stdout)
      if (error.code === 'ENOENT')
        return failed(new SecateurError('bad-setting', noSlurm(program), { field: '--on slurm', cause: error }))
      const words = stderr.trim() || (error.killed ? `no answer within ${patience / 1000} seconds` : error.message)
      failed(new SecateurError('unsupported', `${program}: ${shortened(words)}`, { cause: error }))
    })
  })
}

const noSlurm = (program: string) =>
  `there is no ${program} here: submit from a computer that has Slurm's commands on its PATH`

/** Whether there is no such program here at all. */
export const isMissing = (error: SecateurError): boolean =>
  error.cause instanceof Error && 'code' in error.cause && error.cause.code === 'ENOENT'

export const isUnknownJob = (error: unknown): boolean => error instanceof SecateurError && saysUnknownJob(error.message)
