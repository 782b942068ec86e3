// A process that scores task files whenever a line arrives, as lm_eval_score.py does.
import { parseArgs } from 'node:util'
import { evaluateSchema } from '../../engine/contract/index.ts'
import { evaluate } from '../../engine/jobs/evaluate.ts'
import { answerLines } from './answer.ts'

const { values } = parseArgs({
  options: {
    checkpoint: { type: 'string' },
    /** JSON: task files by the names of the tasks. */
    files: { type: 'string' },
    rows: { type: 'string' },
    threads: { type: 'string' },
  },
})
const job = evaluateSchema.parse({
  kind: 'evaluate',
  checkpoint: values.checkpoint,
  device: 'onnx',
  threads: Number(values.threads),
  evaluation: { tasks: JSON.parse(values.files!) },
})

await answerLines(Number(values.rows), () =>
  evaluate(job, { emit: () => {}, signal: new AbortController().signal, resume: false }),
)
