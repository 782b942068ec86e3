import { relaySweeps } from '../../jobs/sweep-relay.ts'
import { FrameWriter } from '../../runners/ssh/frames.ts'
import { StopSwitch } from './stop-switch.ts'

/** Serves whoever is at the other end of standard input and output, until that is not there any more. */
export async function relayOverPipes(): Promise<void> {
  using stop = new StopSwitch()
  // The other end has gone: what was begun is brought to its end, and nobody hears of it.
  process.stdout.on('error', stop.stop)
  await relaySweeps(process.stdin, new FrameWriter(print), stop.signal)
}

const print = (bytes: string | Buffer): Promise<void> =>
  new Promise((done) => void process.stdout.write(bytes, () => done()))
