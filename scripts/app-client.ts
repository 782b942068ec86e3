import { createBirpc } from 'birpc'
import { WebSocket } from 'ws'
import {
  type Answer,
  type MainSide,
  type Method,
  methods,
  type RendererSide,
  type Request,
} from '../electron/contract/index.ts'
import { socketPath } from '../electron/contract/connection.ts'

/** Talks to a headless host as its page does, for scripts that need the app to have something in it. */
export class AppClient {
  readonly #main: { call: MainSide['call'] }
  readonly #socket: WebSocket

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.#main = createBirpc<MainSide, RendererSide>(
      { event: () => {} },
      {
        post: (text: string) => socket.send(text),
        on: (listener) => socket.on('message', (data) => listener((data as Buffer).toString('utf8'))),
        serialize: JSON.stringify,
        deserialize: JSON.parse,
        timeout: -1,
      },
    )
  }

  /** @param address as the host prints it, with its token */
  static async connect(address: string): Promise<AppClient> {
    const { origin, host, hash } = new URL(address)
    const socket = new WebSocket(`ws://${host}${socketPath}`, { origin })
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => socket.send(JSON.stringify({ token: hash.replace('#token=', '') })))
      socket.once('message', () => resolve())
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('the host closed the connection')))
    })
    return new AppClient(socket)
  }

  /** @throws Error with the problem's message. */
  async call<M extends Method>(method: M, input: Request<M>): Promise<Answer<M>> {
    const answer = await this.#main.call(method, input)
    if ('problem' in answer) throw new Error(answer.problem.message)
    return methods[method][1].parse(answer.ok) as Answer<M>
  }

  close(): void {
    this.#socket.close()
  }
}
