// A process that reads a prompt and generates after it with llama.cpp whenever a line arrives, as generation-worker.ts does.
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { peakMemory } from '../../engine/estimate/memory.ts'
import { forgetPeak } from './peak.ts'

/** What is used of node-llama-cpp, which need not be here. */
interface NodeLlamaCpp {
  LlamaLogLevel: { error: unknown }
  getLlama: (options: object) => Promise<{ loadModel: (options: object) => Promise<LlamaModel> }>
}
interface LlamaModel {
  createContext: (options: object) => Promise<{ getSequence: () => Sequence }>
}
interface Sequence {
  clearHistory: () => Promise<void>
  evaluateWithoutGeneratingNewTokens: (ids: number[]) => Promise<void>
  evaluate: (ids: number[], options: object) => AsyncIterable<number>
}

const { values } = parseArgs({
  options: {
    file: { type: 'string' },
    folder: { type: 'string' },
    prompt: { type: 'string' },
    tokens: { type: 'string' },
    threads: { type: 'string' },
  },
})
const found = createRequire(join(resolve(values.folder!), 'package.json')).resolve('node-llama-cpp')
const { getLlama, LlamaLogLevel } = (await import(pathToFileURL(found).href)) as NodeLlamaCpp
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error })
const model = await llama.loadModel({ modelPath: values.file! })
const [length, tokens, threads] = [values.prompt, values.tokens, values.threads].map(Number) as [number, number, number]
const context = await model.createContext({ contextSize: length + tokens + 8, threads })
const sequence = context.getSequence()
const prompt = Array.from({ length }, (_, i) => 10 + i)

console.log('"ready"')
for await (const _ of createInterface({ input: process.stdin })) {
  forgetPeak()
  await sequence.clearHistory()
  const began = performance.now()
  await sequence.evaluateWithoutGeneratingNewTokens(prompt)
  const promptSeconds = (performance.now() - began) / 1000
  const used = process.cpuUsage()
  const started = performance.now()
  let count = 0
  const generated = sequence.evaluate([5], { temperature: 0 })[Symbol.asyncIterator]()
  while (count < tokens && !(await generated.next()).done) count++
  await generated.return?.()
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(used)
  const cpuSeconds = (user + system) / 1e6
  const { peakMemoryBytes: peakBytes } = peakMemory()
  console.log(JSON.stringify({ seconds, cpuSeconds, tokens: count, promptSeconds, peakBytes }))
}
