import { parentPort } from 'node:worker_threads'
import { encode, type EncodeTask } from './encode.ts'

const port = parentPort!

port.on('message', (task: EncodeTask) => {
  const encoded = encode(task)
  port.postMessage(encoded, 'bytes' in encoded ? [encoded.bytes.buffer] : [])
})
