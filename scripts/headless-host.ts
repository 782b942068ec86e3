import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export const root = join(import.meta.dirname, '..')
export const sample = join(root, 'resources/sample')

/** The headless host as its own process, with a data folder of its own. */
export class HeadlessHost {
  readonly data: string
  readonly log: string[] = []
  address = ''
  #child: ChildProcess | null = null
  #ended: Promise<void> = Promise.resolve()

  constructor(data: string = mkdtempSync(join(tmpdir(), 'secateur-app-'))) {
    this.data = data
  }

  get origin(): string {
    return new URL(this.address).origin
  }

  /** Starts it and waits for its address; on the port of the last start, if there was one. */
  async start(...flags: string[]): Promise<void> {
    const port = this.address === '' ? '0' : new URL(this.address).port
    const args = ['--headless', '--no-open', '--data', this.data, '--allow', tmpdir(), '--port', port, ...flags]
    const child = spawn(process.execPath, [join(root, 'scripts/start.ts'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    // A fixture that timed out stops nothing: the host must not outlive the process that started it.
    const kill = () => child.kill('SIGKILL')
    process.once('exit', kill)
    this.#ended = new Promise((resolve) => child.once('close', () => resolve()))
    void this.#ended.then(() => process.off('exit', kill))
    createInterface({ input: child.stderr }).on('line', (line) => this.log.push(line))
    this.address = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const [, address] = /^Secateur listens on (\S+)/.exec(line) ?? []
        if (address) resolve(address)
      })
      child.once('exit', (code) => reject(new Error(`the host ended with ${code}: ${this.log.slice(-5).join('\n')}`)))
    })
  }

  /** Ends it with a signal and waits until it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child?.kill(signal)
    await this.#ended
    this.#child = null
  }

  async remove(): Promise<void> {
    await this.stop()
    rmSync(this.data, { recursive: true, force: true })
  }
}
