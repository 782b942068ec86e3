import assert from 'node:assert/strict'
import { test } from 'node:test'
import { learningRateAt } from '../../../engine/training/adamw.ts'

const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} is not ${expected}`)

const rate = (step: number, decay: 'constant' | 'linear' | 'cosine') =>
  learningRateAt(step, 100, { learningRate: 2, warmupRatio: 0.1, learningRateSchedule: decay })

test('the rate rises to its full value in the warm-up and then stays, falls evenly or falls as a cosine', () => {
  for (const decay of ['constant', 'linear', 'cosine'] as const) {
    close(rate(1, decay), 0.2)
    close(rate(5, decay), 1)
    close(rate(10, decay), 2)
    close(rate(11, decay), 2)
  }
  close(rate(100, 'constant'), 2)
  // 45 and 89 of the 90 steps after the warm-up are over.
  close(rate(56, 'linear'), 1)
  close(rate(100, 'linear'), 2 / 90)
  close(rate(56, 'cosine'), 1)
  close(rate(41, 'cosine'), 1.5)
  close(rate(100, 'cosine'), 1 + Math.cos((Math.PI * 89) / 90))
})

test('without warm-up the first step has the full rate, and a single step is defined', () => {
  for (const decay of ['constant', 'linear', 'cosine'] as const) {
    close(learningRateAt(1, 10, { learningRate: 3, warmupRatio: 0, learningRateSchedule: decay }), 3)
    close(learningRateAt(1, 1, { learningRate: 3, warmupRatio: 0, learningRateSchedule: decay }), 3)
    close(learningRateAt(1, 1, { learningRate: 3, warmupRatio: 1, learningRateSchedule: decay }), 3)
  }
})
