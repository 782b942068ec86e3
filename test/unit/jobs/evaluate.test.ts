import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluateSchema } from '../../../engine/contract/index.ts'
import { evaluate } from '../../../engine/jobs/evaluate.ts'
import { sample } from '../../e2e/secateur.ts'

test('an evaluation of nothing is refused, with what scores something', async () => {
  for (const more of [{}, { compareWith: sample('model') }, { evaluation: { predictions: 'rows.jsonl' } }]) {
    const job = evaluateSchema.parse({ kind: 'evaluate', checkpoint: sample('model'), evaluation: {}, ...more })
    const context = { emit: () => {}, signal: new AbortController().signal, resume: false }
    await assert.rejects(evaluate(job, context), {
      kind: 'bad-setting',
      message: /nothing is scored: .*--task .*--perplexity .*--latency.*--prompts/,
    })
  }
})
