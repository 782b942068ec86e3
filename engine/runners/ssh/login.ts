import type { ClusterSettings } from '../../contract/index.ts'
import { badSetting } from '../../shared/errors.ts'
import { shellQuoted } from '../../shared/shell-quote.ts'

/** A login node of a cluster, with what lies there. */
export interface Login {
  /** As ssh takes it: `user@host`, `host`, or an alias of ssh's settings. */
  destination: string
  port: string | null
  /** Folder of the sweep on the cluster, and that of Secateur. */
  remote: string
  secateur: string
}

/** Where a sweep is sent; null for a cluster that this computer is part of. */
export function loginOf({ via, remote, secateur }: ClusterSettings): Login | null {
  if (via === undefined) return null
  const [, user = '', host = '', port = null] =
    /^ssh:\/\/(?:([^@]+)@)?(\[[^\]]+\]|[^:/]+)(?::(\d+))?\/?$/.exec(via) ?? []
  if (host === '' || remote === undefined || secateur === undefined)
    throw badSetting('cluster.via', `${via} needs an address like ssh://user@login, with remote and secateur`)
  const name = host.replaceAll(/^\[|\]$/g, '')
  return { destination: user ? `${user}@${name}` : name, port, remote, secateur }
}

/**
 * What ssh is started with. It asks nobody: keys come from the user's agent or settings, and a host whose key is not known is
 * refused. Where the connection breaks, ssh says so within a minute.
 */
export function sshArguments(login: Login): string[] {
  const options = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    ConnectTimeout: 20,
    ServerAliveInterval: 15,
    ServerAliveCountMax: 3,
    ForwardAgent: 'no',
    ForwardX11: 'no',
    ClearAllForwardings: 'yes',
    PermitLocalCommand: 'no',
    EscapeChar: 'none',
  }
  return [
    '-T',
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...(login.port === null ? [] : ['-p', login.port]),
    '--',
    login.destination,
    relayCommand(login.secateur),
  ]
}

/**
 * What the shell of the login node is given. It may be any shell: bash takes over, as at a login, since clusters often put
 * Slurm's commands on the PATH there alone.
 *
 * @param secateur folder of Secateur on the cluster
 */
export function relayCommand(secateur: string): string {
  const start = 'exec "$0" "$1" sweep-relay'
  const words = [`${secateur}/node_modules/.bin/node`, `${secateur}/engine/entries/main.ts`]
  return `exec bash -lc ${[start, ...words].map(shellQuoted).join(' ')}`
}

/** What a person types to reach the login node. */
export const sshCommandOf = ({ destination, port }: Login): string =>
  `ssh ${port === null ? '' : `-p ${port} `}${destination}`
