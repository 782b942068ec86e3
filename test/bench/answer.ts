import { createInterface } from 'node:readline'
import { peakMemory } from '../../engine/estimate/memory.ts'
import { forgetPeak } from './peak.ts'

/**
 * Says that this process is ready, and does its work once for every line that comes.
 *
 * @param tokens what is read in one piece of work
 */
export async function answerLines(tokens: number, work: () => unknown): Promise<void> {
  // The peak is that of the work, as PyTorch's is: it starts again from what is resident now.
  forgetPeak()
  console.log(JSON.stringify({ ready: true }))
  for await (const _ of createInterface({ input: process.stdin })) {
    const started = performance.now()
    await work()
    const seconds = (performance.now() - started) / 1000
    console.log(JSON.stringify({ seconds, tokens, peakBytes: peakMemory().peakMemoryBytes }))
  }
}
