// A process that reads a prompt and generates after it on llama.cpp whenever a line arrives, as `generate` does.
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { findLlamaCpp } from '../../engine/llama-cpp/installed.ts'
import { LlamaCppModel } from '../../engine/llama-cpp/model.ts'

const { values } = parseArgs({
  options: {
    file: { type: 'string' },
    prompt: { type: 'string' },
    tokens: { type: 'string' },
    threads: { type: 'string' },
  },
})
const found = findLlamaCpp()
if ('missing' in found) throw new Error(found.missing)
const { signal } = new AbortController()
using model = await LlamaCppModel.start(found, { signal })
await model.load(values.file!, { signal })
const [length, tokens, threads] = [values.prompt, values.tokens, values.threads].map(Number) as [number, number, number]
const prompt = Array.from({ length }, (_, i) => 10 + i)

console.log('"ready"')
for await (const _ of createInterface({ input: process.stdin })) {
  // The first new token comes out of the prompt.
  const asked = { prompt, tokens: tokens + 1, threads, temperature: 0, topP: 1, topK: 0, seed: 0, stop: [] }
  const written = await model.write(asked, { signal })
  const { generationSeconds: seconds, promptSeconds, peakBytes } = written
  console.log(JSON.stringify({ seconds, tokens, promptSeconds, peakBytes }))
}
