// A process that does one training step on a checkpoint whenever a line arrives, as peft_step.py does.
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { flushBackend } from '../../engine/backends/extras.ts'
import { subjectOf } from '../../engine/bench/subject.ts'
import { peakMemory } from '../../engine/estimate/memory.ts'
import { CausalScoring } from '../../engine/evaluation/causal-scoring.ts'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'
import { loadModel } from '../../engine/models/load.ts'
import { forgetPeak } from './peak.ts'

const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string' },
    rows: { type: 'string' },
    length: { type: 'string' },
    threads: { type: 'string' },
    mode: { type: 'string' },
  },
})
await chooseBackend({ device: 'onnx', threads: Number(values.threads) })
const model = loadModel(openCheckpoint(values.checkpoint!), { int8: false })
const { ids, trainer, items } = subjectOf(model, {
  rows: Number(values.rows),
  length: Number(values.length),
  gradientCheckpointing: values.mode === 'step' ? 'off' : 'on',
})
const scoring = new CausalScoring(model)

let step = 0
forgetPeak()
console.log(JSON.stringify({ ready: true }))
for await (const _ of createInterface({ input: process.stdin })) {
  const started = performance.now()
  if (values.mode === 'forward') await scoring.logLikelihoods(items)
  else trainer.step(++step)
  flushBackend()
  const seconds = (performance.now() - started) / 1000
  console.log(JSON.stringify({ seconds, tokens: ids.length, peakBytes: peakMemory().peakMemoryBytes }))
}
