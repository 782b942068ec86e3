import { SecateurError, shortened } from '../../shared/errors.ts'
import { type Login, sshCommandOf } from './login.ts'

/** How ssh ended. */
export interface SshEnd {
  /** Its exit code: 255 is its own failure, any other that of the command there; null where a signal ended it. */
  code: number | null
  /** The end of what it printed beside the messages. */
  words: string
  /** Why it could not even be started. */
  error?: NodeJS.ErrnoException
}

/** Why a login node did not begin to answer, with what to do about it. */
export function explainRefusal(login: Login, { code, words, error }: SshEnd): SecateurError {
  const { destination, secateur } = login
  const refuse = (message: string) =>
    new SecateurError('unsupported', message, error === undefined ? {} : { cause: error })
  if (error?.code === 'ENOENT')
    return refuse('there is no ssh on this computer: install the client of OpenSSH, or put it on the PATH')
  if (error) return refuse(`ssh could not be started: ${error.message}`)
  if (/IDENTIFICATION HAS CHANGED/.test(words))
    return refuse(
      `the host key of ${destination} is another one than before: somebody may be in between, or the machine is a new one. Ask those who run the cluster, and only then remove the old key as ssh says it: ${lastLines(words)}`,
    )
  if (/Host key verification failed/.test(words))
    return refuse(
      `the host key of ${destination} is not known here. Type "${sshCommandOf(login)}" once, and accept the key if its fingerprint is the one that those who run the cluster publish`,
    )
  if (/Permission denied|Too many authentication failures/.test(words))
    return refuse(
      `${destination} does not let you in: ${lastLines(words)}. No password is asked for here: "${sshCommandOf(login)}" must work without one, by a key in ssh-agent or in ssh's own settings`,
    )
  if (code === 255) return refuse(`${destination} cannot be reached: ${lastLines(words)}`)
  if (code === 126 || code === 127 || /Cannot find module/.test(words))
    return refuse(
      `there is no Secateur in ${secateur} on ${destination}, or its packages are not installed: name its folder there (--secateur; docs/clusters.md)`,
    )
  if (/unknown command/.test(words)) return refuse(otherVersion(login, 'an earlier version'))
  return refuse(`Secateur could not be started on ${destination} (code ${code}): ${lastLines(words)}`)
}

/** @param version as it is called in words */
export const otherVersion = ({ destination, secateur }: Login, version: string): string =>
  `Secateur in ${secateur} on ${destination} is ${version}, and this one is another: both must be of the same version`

/** Why an answer ended early. */
export function lostWords({ destination }: Login, { code, words }: SshEnd): string {
  const said = lastLines(words)
  const why = said === '' ? (code === null ? 'ssh was ended' : `ssh ended with code ${code}`) : said
  return `the connection to ${destination} was lost: ${why}`
}

const lastLines = (words: string): string =>
  shortened(words.trim().split(/\r?\n/).slice(-3).join(' ').slice(-600).replace(/\.$/, ''))
