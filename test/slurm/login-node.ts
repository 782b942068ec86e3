// A login node of a cluster on this computer, for tests: a real sshd on loopback, with keys of its own.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, globSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const unpacked = resolve(import.meta.dirname, '../../out/ssh')

/** Where OpenSSH's programs lie: '' where they are installed; a reason where sshd cannot be started. */
export function findSsh(): { root: string } | { missing: string } {
  if (process.platform !== 'linux') return { missing: 'sshd is started in namespaces of Linux' }
  if (process.getuid?.() !== 0) return { missing: 'sshd needs root' }
  try {
    execFileSync('unshare', ['--mount', 'true'], { stdio: 'pipe' })
    execFileSync(join(import.meta.dirname, '../unpack.sh'), ['ssh'], { stdio: 'pipe', timeout: 120_000 })
  } catch (error) {
    return { missing: String((error as { stderr?: Buffer }).stderr ?? error).trim() }
  }
  return { root: existsSync(unpacked) ? unpacked : '' }
}

export class LoginNode implements AsyncDisposable {
  readonly #folder: string
  readonly #daemon: ChildProcess
  readonly #port: number
  /** What a workstation's processes need: its ssh, which knows the key but not the host. */
  readonly environment: NodeJS.ProcessEnv

  private constructor(folder: string, port: number, daemon: ChildProcess, environment: NodeJS.ProcessEnv) {
    this.#folder = folder
    this.#port = port
    this.#daemon = daemon
    this.environment = environment
  }

  /**
   * @param folder an empty one
   * @param cluster environment that speaks to the cluster: a shell has it only at a login
   */
  static async start(root: string, folder: string, port: number, cluster: NodeJS.ProcessEnv): Promise<LoginNode> {
    const at = (name: string) => join(folder, name)
    const program = (path: string) => (existsSync(`${root}${path}`) ? `${root}${path}` : path)
    for (const key of ['host', 'user'])
      execFileSync(program('/usr/bin/ssh-keygen'), ['-q', '-t', 'ed25519', '-N', '', '-f', at(key)])
    mkdirSync(at('home'))
    mkdirSync(at('bin'))
    const variables = ['PATH', 'LD_LIBRARY_PATH', 'SLURM_CONF'].map((name) => [name, cluster[name]] as const)
    writeFileSync(
      at('home/.bash_profile'),
      `echo 'Welcome to the cluster'\n${variables.flatMap(([name, value]) => (value ? `export ${name}='${value}'\n` : [])).join('')}`,
    )
    writeFileSync(at('passwd'), `root:x:0:0::${at('home')}:/bin/bash\nsshd:x:104:65534::/run/sshd:/usr/sbin/nologin\n`)
    writeFileSync(
      at('sshd_config'),
      `Port ${port}
ListenAddress 127.0.0.1
HostKey ${at('host')}
AuthorizedKeysFile ${at('user.pub')}
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PidFile none
`,
    )
    writeFileSync(
      at('ssh_config'),
      `IdentityFile ${at('user')}\nIdentitiesOnly yes\nUserKnownHostsFile ${at('known')}\n`,
    )
    writeFileSync(at('bin/ssh'), `#!/bin/sh\nexec '${program('/usr/bin/ssh')}' -F '${at('ssh_config')}' "$@"\n`)
    chmodSync(at('bin/ssh'), 0o755)
    const libraries = globSync(`${root}/usr/lib/*`).join(':')
    const steps = [
      `mount --bind '${at('passwd')}' /etc/passwd`,
      'mount -t tmpfs tmpfs /run',
      'mkdir /run/sshd',
      `exec '${program('/usr/sbin/sshd')}' -D -e -f '${at('sshd_config')}'`,
    ]
    const log = openSync(at('sshd.log'), 'a')
    const daemon = spawn('unshare', ['--mount', 'sh', '-ec', steps.join('\n')], {
      env: { PATH: process.env['PATH'], LD_LIBRARY_PATH: libraries },
      stdio: ['ignore', log, log],
    })
    const environment = { ...process.env, PATH: `${at('bin')}:${process.env['PATH']}` }
    const node = new LoginNode(folder, port, daemon, environment)
    for (let waited = 0; !node.log.includes('Server listening'); waited += 50) {
      if (waited > 15_000 || daemon.exitCode !== null) throw new Error(`sshd did not start\n${node.log}`)
      await setTimeout(50)
    }
    return node
  }

  get address(): string {
    return `ssh://root@127.0.0.1:${this.#port}`
  }

  get log(): string {
    return readFileSync(join(this.#folder, 'sshd.log'), 'utf8')
  }

  /** What a person does who has compared the fingerprint. */
  acceptHostKey(): void {
    const [type, key] = readFileSync(join(this.#folder, 'host.pub'), 'utf8').split(' ')
    writeFileSync(join(this.#folder, 'known'), `[127.0.0.1]:${this.#port} ${type} ${key}\n`)
  }

  /** Breaks every connection that there is; the server goes on. */
  breakConnections(): number {
    const children = readFileSync(`/proc/${this.#daemon.pid}/task/${this.#daemon.pid}/children`, 'utf8')
    const pids = children.trim().split(/\s+/).filter(Boolean).map(Number)
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    return pids.length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemon.exitCode !== null) return
    const over = new Promise((done) => this.#daemon.once('exit', done))
    this.breakConnections()
    this.#daemon.kill('SIGTERM')
    await over
  }
}
