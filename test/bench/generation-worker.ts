// A process that reads a prompt and generates after it whenever a line arrives, with the engine of any checkout.
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type * as Choose from '../../engine/backends/choose.ts'
import type * as Memory from '../../engine/estimate/memory.ts'
import type * as Generation from '../../engine/evaluation/generation.ts'
import type * as Checkpoint from '../../engine/models/checkpoint.ts'
import type * as Load from '../../engine/models/load.ts'
import type * as Chance from '../../engine/shared/random.ts'
import { forgetPeak } from './peak.ts'

const { values } = parseArgs({
  options: {
    engine: { type: 'string' },
    checkpoint: { type: 'string' },
    prompt: { type: 'string' },
    tokens: { type: 'string' },
    threads: { type: 'string' },
    int8: { type: 'boolean', default: false },
  },
})
const load = async <Module>(file: string) =>
  (await import(pathToFileURL(join(values.engine!, 'engine', file)).href)) as Module
const { chooseBackend } = await load<typeof Choose>('backends/choose.ts')
const { peakMemory } = await load<typeof Memory>('estimate/memory.ts')
const { generate } = await load<typeof Generation>('evaluation/generation.ts')
const { openCheckpoint } = await load<typeof Checkpoint>('models/checkpoint.ts')
const { loadModel } = await load<typeof Load>('models/load.ts')
const { Random } = await load<typeof Chance>('shared/random.ts')

await chooseBackend({ device: 'onnx', threads: Number(values.threads) })
const model = loadModel(openCheckpoint(values.checkpoint!), { int8: values.int8 })
const random = new Random(0)
const prompt = Array.from({ length: Number(values.prompt) }, () => random.integer(model.config.vocabularySize))
const tokens = Number(values.tokens)
const cpu = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1e6

console.log('"ready"')
for await (const _ of createInterface({ input: process.stdin })) {
  forgetPeak()
  const prompted = process.cpuUsage()
  // Without tokens nothing but the prompt is read.
  await generate(model, prompt, { tokens: 1, temperature: 0, topP: 1, random, stop: [] })
  const read = process.cpuUsage(prompted)
  const started = process.cpuUsage()
  const result = await generate(model, prompt, { tokens: tokens + 1, temperature: 0, topP: 1, random, stop: [] })
  const used = process.cpuUsage(started)
  const answer = {
    seconds: result.generationSeconds,
    cpuSeconds: Math.max(0, cpu(used) - cpu(read)),
    tokens,
    promptSeconds: result.promptSeconds,
    peakBytes: peakMemory().peakMemoryBytes,
  }
  console.log(JSON.stringify(answer))
}
