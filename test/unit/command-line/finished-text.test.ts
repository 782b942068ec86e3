import assert from 'node:assert/strict'
import { test } from 'node:test'
import { latencyText } from '../../../engine/entries/command-line/finished-text.ts'

const speed = { promptTokensPerSecond: 1634.4, generatedTokensPerSecond: 58.5 }

test('speed is said at each length of a prompt that was asked for', () => {
  assert.deepEqual(latencyText(speed), ['prompt 1,634 tokens/s, generation 59 tokens/s'])
  const byLength = [
    { prompt: 4, ...speed },
    { prompt: 1024, ...speed, promptTokensPerSecond: 2000 },
  ]
  assert.deepEqual(latencyText({ ...speed, byLength }), [
    'prompt of 4 tokens: 1,634 tokens/s, generation 59 tokens/s',
    'prompt of 1,024 tokens: 2,000 tokens/s, generation 59 tokens/s',
  ])
})
