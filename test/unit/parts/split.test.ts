import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { evaluateSchema } from '../../../engine/contract/index.ts'
import { splitEvaluation, workOfParts } from '../../../engine/parts/split.ts'

test('a part has what is said of it alone, in the order of one process, and speed is measured in the end', () => {
  const job = evaluateSchema.parse({
    kind: 'evaluate',
    checkpoint: 'm',
    compareWith: 'd',
    out: 'run',
    parallel: 2,
    cluster: {},
    evaluation: {
      tasks: { piqa: 'p', 'my-own': 'o' },
      perplexity: { 'wiki text/2': 'w' },
      latency: true,
      latencyLengths: [8],
      prompts: ['Hello'],
      mode: 'legacy',
      limit: 3,
      fewShot: 2,
      fewShotFrom: { piqa: 't' },
      predictions: 'rows',
      lmEvalJson: 'results',
    },
  })
  const parts = splitEvaluation(job, 'run')
  assert.deepEqual(
    parts.map(({ name }) => name),
    ['1-piqa', '2-my-own', '3-wiki-text-2', '4-speed', '5-examples'],
  )
  for (const { name, job: part } of parts) {
    assert.deepEqual([part.out, part.parallel, part.cluster], [join('run/parts', name), undefined, undefined])
    assert.deepEqual([part.compareWith, part.evaluation.mode, part.evaluation.limit], ['d', 'legacy', 3])
    assert.deepEqual(evaluateSchema.parse(part), part)
  }
  const [piqa, own, text, speed, examples] = parts.map(({ job: { evaluation } }) => evaluation)
  assert.deepEqual([piqa!.tasks, piqa!.fewShot, piqa!.fewShotFrom], [{ piqa: 'p' }, 2, { piqa: 't' }])
  assert.deepEqual([own!.tasks, own!.fewShot, own!.fewShotFrom], [{ 'my-own': 'o' }, 2, {}])
  assert.deepEqual([text!.tasks, text!.perplexity, text!.fewShot], [{}, { 'wiki text/2': 'w' }, undefined])
  assert.deepEqual([speed!.latency, speed!.latencyLengths, text!.latency], [true, [8], false])
  assert.deepEqual([examples!.prompts, speed!.prompts], [['Hello'], []])
  assert.deepEqual([piqa!.predictions, text!.predictions], [join('run/parts/1-piqa/rows.jsonl'), undefined])
  const { stages } = workOfParts({ ...job, out: 'run' }, parts, { folder: 'run', resume: false })
  assert.deepEqual(
    stages.map(({ tasks, waits }) => [tasks.length, waits]),
    [
      [4, false],
      [1, true],
    ],
  )
})
