import { type ChildProcess, spawn } from 'node:child_process'
import { errorOf, SecateurError } from '../../shared/errors.ts'
import { parseAs } from '../../shared/files.ts'
import { version } from '../../shared/version.ts'
import { explainRefusal, lostWords, otherVersion, type SshEnd } from './explain.ts'
import { type Frame, FrameReader } from './frames.ts'
import { type Login, sshArguments } from './login.ts'
import { helloSchema, type RelayMessage, type RelayRequest, signPeriod } from './messages.ts'

/** A connection that broke while something was asked for; what was asked may be done all the same. */
export class ConnectionLost extends Error {}

/** Secateur's relay on a login node, at the other end of the user's own ssh. One connection is enough for all that is asked. */
export class Relay implements Disposable {
  readonly #login: Login
  readonly #child: ChildProcess
  readonly #frames: FrameReader
  readonly #ended: Promise<SshEnd>
  readonly #signs: NodeJS.Timeout
  readonly #signal: AbortSignal

  private constructor(login: Login, signal: AbortSignal) {
    this.#login = login
    this.#signal = signal
    // A Ctrl-C in the terminal is for this process: it ends the connection itself.
    const own = process.platform === 'win32' ? { windowsHide: true } : { detached: true }
    this.#child = spawn('ssh', sshArguments(login), { stdio: ['pipe', 'pipe', 'pipe'], ...own })
    this.#ended = endOf(this.#child)
    this.#frames = new FrameReader(this.#child.stdout!, login.destination)
    // Whoever reads hears that nobody listens any more.
    this.#child.stdin!.on('error', () => {})
    this.#signs = setInterval(() => void this.#child.stdin!.write('\n'), signPeriod)
    signal.addEventListener('abort', this.#close, { once: true })
  }

  /**
   * Connects, and waits until the relay is there.
   *
   * @throws SecateurError that says in words why it does not come, and what the signal was aborted with
   */
  static async open(login: Login, signal: AbortSignal): Promise<Relay> {
    signal.throwIfAborted()
    const relay = new Relay(login, signal)
    try {
      const hello = await relay.#frames.greeting()
      signal.throwIfAborted()
      if (hello === null) throw explainRefusal(login, await relay.#ended)
      const theirs = parseAs(helloSchema, hello, login.destination).version
      if (theirs !== version)
        throw new SecateurError('unsupported', otherVersion(login, `version ${theirs} (here it is ${version})`))
      return relay
    } catch (error) {
      relay[Symbol.dispose]()
      throw error
    }
  }

  /**
   * Asks for something, and tells what comes until it is done.
   *
   * @returns what there is to say of it in the end
   * @throws SecateurError with the relay's own words, ConnectionLost, and what the signal was aborted with
   */
  async ask(request: RelayRequest, hear: (frame: Frame) => void): Promise<string | null> {
    this.#child.stdin!.write(`${JSON.stringify(request)}\n`)
    for (let frame = await this.#frames.next(); frame; frame = await this.#frames.next()) {
      this.#signal.throwIfAborted()
      const { message } = frame
      if (message.type === 'done') return message.text
      if (message.type === 'refused') throw this.#refusal(message)
      hear(frame)
    }
    this.#signal.throwIfAborted()
    throw new ConnectionLost(lostWords(this.#login, await this.#ended))
  }

  #refusal({ error }: Extract<RelayMessage, { type: 'refused' }>): SecateurError {
    return errorOf({ kind: error.kind, message: `on ${this.#login.destination}: ${error.message}` })
  }

  readonly #close = (): void => void this.#child.kill('SIGTERM');

  [Symbol.dispose](): void {
    clearInterval(this.#signs)
    this.#signal.removeEventListener('abort', this.#close)
    this.#close()
  }
}

/** Characters of what ssh prints that are kept. */
const mostWords = 4000

function endOf(child: ChildProcess): Promise<SshEnd> {
  let words = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-mostWords)))
  return new Promise((done) => {
    child.on('error', (error) => {
      if (child.pid === undefined) done({ code: null, words, error })
    })
    child.on('close', (code) => done({ code, words }))
  })
}
