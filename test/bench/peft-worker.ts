// A process that does one training step on a checkpoint whenever a line arrives, as peft_step.py does.
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { subjectOf } from '../../engine/bench/subject.ts'
import { CausalScoring } from '../../engine/evaluation/causal-scoring.ts'
import { openCheckpoint } from '../../engine/models/checkpoint.ts'
import { loadModel } from '../../engine/models/load.ts'
import { answerLines } from './answer.ts'

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
await answerLines(ids.length, () => (values.mode === 'forward' ? scoring.logLikelihoods(items) : trainer.step(++step)))
