import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { evaluateSchema } from '../../../engine/contract/index.ts'
import { joinResults } from '../../../engine/parts/join.ts'
import { finishedResult } from '../../../engine/parts/part-results.ts'
import { splitEvaluation } from '../../../engine/parts/split.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-join-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('what wrote examples and what ran the speed stand beside them once parts are joined', () => {
  const job = evaluateSchema.parse({
    kind: 'evaluate',
    checkpoint: 'm',
    out: folder,
    evaluation: { latency: true, prompts: ['Hello'] },
  })
  const ran = { runner: 'secateur', name: 'Secateur (onnx)', type: 'float32', device: 'a processor', threads: 1 }
  const told = { ...ran, why: null, proof: null }
  const speed = { promptTokensPerSecond: 2, generatedTokensPerSecond: 1 }
  const scores = [
    { latency: { ...speed, ran: told } },
    { examples: [{ prompt: 'Hello', text: ' there' }], examplesRan: told },
  ]
  const parts = splitEvaluation(job, folder)
  for (const [at, { job: part }] of parts.entries()) {
    const outcome = { type: 'result', parameters: { before: 3, after: 2 }, tasks: {}, perplexity: {}, ...scores[at] }
    mkdirSync(part.out, { recursive: true })
    const file = { finished: '2026-11-28T12:00:00.000Z', outcome: { ...outcome, seconds: at + 1 } }
    writeFileSync(join(part.out, 'result.json'), JSON.stringify(file))
  }
  assert.deepEqual(joinResults(parts.map(finishedResult)), {
    type: 'result',
    parameters: { before: 3, after: 2 },
    tasks: {},
    perplexity: {},
    ...scores[0],
    ...scores[1],
    seconds: 3,
  })
})
