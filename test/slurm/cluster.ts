// A cluster of Slurm on this computer, for tests: a controller and five nodes, with a munge of their own and no accounting.
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, globSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'

const unpacked = resolve(import.meta.dirname, '../../out/slurm')
/** Partitions with their nodes; the first one is the default. */
const partitions = { main: ['n1', 'n2'], app: ['n3'], far: ['n4'], parts: ['n5'] }
const nodes = Object.values(partitions).flat()

/** Where Slurm's programs lie: '' where they are installed; a reason where there are none. */
export function findSlurm(): { root: string } | { missing: string } {
  if (process.platform !== 'linux') return { missing: 'Slurm runs on Linux' }
  try {
    execFileSync(join(import.meta.dirname, '../unpack.sh'), { stdio: 'pipe', timeout: 120_000 })
  } catch (error) {
    return { missing: String((error as { stderr?: Buffer }).stderr ?? error).trim() }
  }
  return { root: existsSync(unpacked) ? unpacked : '' }
}

export class Cluster implements AsyncDisposable {
  readonly #root: string
  readonly #folder: string
  readonly #daemons = new Map<string, ChildProcess>()
  /** What a process needs to speak to this cluster. */
  readonly environment: NodeJS.ProcessEnv

  private constructor(root: string, folder: string) {
    this.#root = root
    this.#folder = folder
    const libraries = this.#libraries()
    this.environment = {
      ...process.env,
      SLURM_CONF: join(folder, 'slurm.conf'),
      PATH: `${root}/usr/bin:${process.env['PATH']}`,
      ...(root === ''
        ? {}
        : { LD_LIBRARY_PATH: [...libraries, process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':') }),
    }
  }

  /** @param folder an empty one, with a short path: it takes sockets */
  static async start(root: string, folder: string): Promise<Cluster> {
    const cluster = new Cluster(root, folder)
    const [controller, ...ports] = await freePorts(1 + nodes.length)
    writeFileSync(join(folder, 'munge.key'), randomBytes(1024), { mode: 0o600 })
    for (const name of ['state', 'log', ...nodes.map((node) => `spool-${node}`)]) mkdirSync(join(folder, name))
    writeFileSync(join(folder, 'slurm.conf'), cluster.#config(controller!, ports))
    cluster.#startDaemon('munged', [
      '--foreground',
      '--force',
      ...Object.entries({
        'key-file': 'munge.key',
        socket: 'munge.socket',
        'pid-file': 'munged.pid',
        'seed-file': 'munge.seed',
      }).map(([flag, name]) => `--${flag}=${join(folder, name)}`),
    ])
    await cluster.#until(() => existsSync(join(folder, 'munge.socket')), 'munged')
    await cluster.startController()
    const step = `${root}/usr/sbin/slurmstepd-wlm`
    for (const node of nodes) cluster.#startDaemon('slurmd-wlm', ['-D', '-N', node, '-d', step], node)
    await cluster.#untilIdle()
    return cluster
  }

  async startController(): Promise<void> {
    this.#startDaemon('slurmctld-wlm', ['-D'])
    await this.#until(async () => (await this.run('scontrol', ['ping'])).includes('is UP'), 'slurmctld')
  }

  async stopController(): Promise<void> {
    await this.#end('slurmctld-wlm')
  }

  /** What a command of Slurm prints; '' where it fails. */
  async run(program: string, args: readonly string[]): Promise<string> {
    try {
      const { stdout } = await promisify(execFile)(program, args, { env: this.environment })
      return stdout
    } catch {
      return ''
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What a test has halted hears nothing but this; a node that ends before its jobs leaves them behind.
    await this.run('scancel', ['--full', '--signal=KILL', '--user', userInfo().username])
    await this.run('scancel', ['--user', userInfo().username])
    for (let waited = 0; waited < 20_000 && (await this.run('squeue', ['--noheader'])) !== ''; waited += 200)
      await setTimeout(200)
    for (const name of [...this.#daemons.keys()].toReversed()) await this.#end(name)
  }

  #libraries(): string[] {
    return globSync(`${this.#root}/usr/lib/*`).flatMap((path) => [path, join(path, 'slurm-wlm')])
  }

  #startDaemon(program: string, args: readonly string[], name = program): void {
    const log = openSync(join(this.#folder, 'log', `${name}.log`), 'a')
    const child = spawn(`${this.#root}/usr/sbin/${program}`, args, {
      env: this.environment,
      stdio: ['ignore', log, log],
    })
    this.#daemons.set(name, child)
  }

  async #end(name: string): Promise<void> {
    const child = this.#daemons.get(name)!
    this.#daemons.delete(name)
    if (child.exitCode !== null || child.signalCode !== null) return
    const over = new Promise((done) => child.once('exit', done))
    child.kill('SIGTERM')
    const late = setTimeout(10_000, 'late', { ref: false })
    if ((await Promise.race([over, late])) === 'late') child.kill('SIGKILL')
  }

  async #untilIdle(): Promise<void> {
    const idle = async () =>
      (await this.run('sinfo', ['--noheader', '--Node', '--format=%t'])).trim().split('\n').join(' ') ===
      nodes.map(() => 'idle').join(' ')
    await this.#until(idle, 'a node')
  }

  async #until(isReady: () => boolean | Promise<boolean>, what: string): Promise<void> {
    for (let waited = 0; waited < 30_000; waited += 100) {
      if (await isReady()) return
      await setTimeout(100)
    }
    const logs = globSync(join(this.#folder, 'log/*')).map(
      (file) => `${file}:\n${readFileSync(file, 'utf8').slice(-1500)}`,
    )
    throw new Error(`${what} did not start\n${logs.join('\n')}`)
  }

  #config(controller: number, ports: readonly number[]): string {
    const at = (name: string) => join(this.#folder, name)
    const user = userInfo().username
    const plugins = this.#libraries().find((path) => path.endsWith('slurm-wlm') && existsSync(path))
    return `ClusterName=test
SlurmctldHost=localhost
SlurmctldPort=${controller}
# A job that is sent again waits for as long as a credential holds, and a second.
AuthInfo=socket=${at('munge.socket')},cred_expire=5
SlurmUser=${user}
SlurmdUser=${user}
StateSaveLocation=${at('state')}
SlurmdSpoolDir=${at('spool-%n')}
SlurmctldPidFile=${at('slurmctld.pid')}
SlurmdPidFile=${at('slurmd-%n.pid')}
PluginDir=${plugins}
PlugStackConfig=/dev/null
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0
ReturnToService=2
KillWait=30
MessageTimeout=2
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
${nodes.map((node, index) => `NodeName=${node} NodeHostname=localhost NodeAddr=127.0.0.1 Port=${ports[index]} CPUs=1`).join('\n')}
${Object.entries(partitions)
  .map(
    ([name, own]) =>
      `PartitionName=${name} Nodes=${own.join(',')} Default=${name === 'main' ? 'YES' : 'NO'} MaxTime=60`,
  )
  .join('\n')}
`
  }
}

/** Ports that nobody listens on at present. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer()
      return new Promise<typeof server>((done) => void server.listen(0, '127.0.0.1', () => done(server)))
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return ports
}
