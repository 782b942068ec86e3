// npm run bench -- scoring-memory: peak memory of scoring every group of a model 2048 wide, by the adapter's gradients
// and by those of the weights, each in a process of its own.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { z } from 'zod'

const { values } = parseArgs({
  options: {
    /** width, layers, heads, key/value heads, channels, vocabulary, rows, length */
    shape: { type: 'string', default: '2048,4,32,8,5632,8192,1,128' },
    threads: { type: 'string', default: '2' },
  },
})
const ready = z.object({ weights: z.number() })
const answer = z.object({ seconds: z.number(), peakBytes: z.number() })
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`

for (const mode of ['lora-guided', 'gradient-guided', 'all weight gradients at once']) {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'worker.ts'), '--shape', values.shape, '--mode', mode, '--threads', values.threads],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { weights } = ready.parse(JSON.parse(String((await lines.next()).value)))
  child.stdin.write('\n')
  const { seconds, peakBytes } = answer.parse(JSON.parse(String((await lines.next()).value)))
  child.stdin.end()
  console.log(
    `${mode}: peak ${megabytes(peakBytes)}, ${megabytes(peakBytes - weights)} beyond the weights, ${seconds.toFixed(1)} s`,
  )
}
