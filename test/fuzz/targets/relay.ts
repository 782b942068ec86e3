import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FrameReader, FrameWriter } from '../../../engine/runners/ssh/frames.ts'
import type { RelayMessage } from '../../../engine/runners/ssh/messages.ts'
import type { Target } from '../target.ts'

const name = 'said.bin'

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const file = {
  type: 'file',
  path: 'runs/1-a/metrics.jsonl',
  grows: true,
  offset: 0,
  length: 5,
  size: 5,
  modified: 1,
} as const
const messages: RelayMessage[] = [
  { type: 'submissions', submissions: [{ name: 'secateur-1', array: '17', tasks: ['1-a'], submitted: 'now' }] },
  { type: 'began', name: '1-a' },
  { type: 'ended', name: '1-a', isWhole: true },
  { type: 'failed', name: '2-b', error: { kind: 'bad-file', message: 'there is no such file' } },
  { type: 'gone', path: 'runs/1-a/result.json' },
  { type: 'done', text: null },
]

/** What a login node says over ssh. */
export const relay: Target = {
  name: 'relay',
  async seeds() {
    const said: Buffer[] = []
    const writer = new FrameWriter(async (bytes) => void said.push(Buffer.from(bytes)))
    await writer.greet('1.0.0')
    await writer.send(file, Buffer.from('{"a":'))
    for (const message of messages) await writer.send(message)
    return [{ [name]: Buffer.concat(said) }]
  },
  async read(folder) {
    const path = join(folder, name)
    const reader = new FrameReader(pieces(readFileSync(path), 100), path)
    if ((await reader.greeting()) === null) return
    while (await reader.next());
  },
}
