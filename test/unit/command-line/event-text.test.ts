import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stepText } from '../../../engine/entries/command-line/event-text.ts'

const step = {
  type: 'step',
  steps: 9,
  tokensPerSecond: 1970.4,
  secondsLeft: 1,
  memoryBytes: 1,
  metrics: { step: 1, loss: 2, learningRate: 1, gradientNorm: 1, tokens: 1970 },
} as const

test('a step says how many tokens a second it took, and of a model that sees images how many of them', () => {
  assert.equal(stepText(step, undefined), 'loss 2.0000 1,970 tokens/s')
  assert.equal(stepText({ ...step, imagesPerSecond: 10.002 }, undefined), 'loss 2.0000 10 images/s')
  assert.equal(stepText({ ...step, imagesPerSecond: 0.4567 }, undefined), 'loss 2.0000 0.457 images/s')
  assert.equal(stepText({ ...step, imagesPerSecond: 1234.5 }, undefined), 'loss 2.0000 1,235 images/s')
})
