import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { evaluationSchema } from '../../../engine/contract/index.ts'
import { evaluationFloats } from '../../../engine/estimate/forward-memory.ts'
import { openFixture, startBackend } from '../models/shared.ts'

before(startBackend)

test('rows that share examples are counted as long as they get, and no longer', () => {
  const { config } = openFixture('llama_gqa').model
  const model = {
    config: { ...config, maxPositions: 4096 },
    int8: false,
    widensLinears: false,
    widensTables: false,
    copiesBits: false,
  }
  const floats = (task: string, batchTokens: number, fewShot?: number) =>
    evaluationFloats(model, evaluationSchema.parse({ tasks: { [task]: 'file' }, batchTokens, fewShot }))
  const usual = floats('piqa', 2048)
  assert.ok(floats('mmlu', 2048) > usual)
  assert.ok(floats('my_task', 2048) > usual)
  // Without examples in front of each row, and with others in front of each.
  assert.equal(floats('mmlu', 2048, 0), usual)
  assert.equal(floats('piqa', 2048, 5), usual)
  // Attention costs more than is saved in rows of more than some 2800 tokens, however many a batch may have.
  const ratio = (batchTokens: number) => floats('mmlu', batchTokens) / floats('piqa', batchTokens)
  assert.ok(ratio(65_536) < 1.1 * ratio(2800), `${ratio(65_536)} and ${ratio(2800)}`)
  assert.ok(ratio(128) >= 1)
})
