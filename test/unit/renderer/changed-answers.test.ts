import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RunDetail } from '../../../electron/contract/index.ts'
import { changedAnswers } from '../../../renderer/src/screens/compare/changed-answers.ts'

type Result = Pick<RunDetail, 'joined'>
const scored = (tasks: Record<string, { answers?: string; asked?: string }>): Result => ({
  joined: {
    from: [],
    scores: {
      tasks: Object.fromEntries(
        Object.entries(tasks).map(([name, score]) => [name, { acc: 0.5, stderr: null, n: 4, ...score }]),
      ),
      perplexity: {},
    },
  },
})

test('two runs are paired on rows that both were asked in the same way, and on no others', () => {
  const before = scored({
    piqa: { answers: '1100', asked: 'a' },
    mmlu: { answers: '1010', asked: 'b' },
    boolq: { answers: '11' },
    mine: { answers: '1', asked: 'c' },
  })
  const after = scored({
    piqa: { answers: '1010', asked: 'a' },
    mmlu: { answers: '1010', asked: 'other' },
    boolq: { answers: '10' },
    hellaswag: { answers: '1', asked: 'd' },
  })
  const { rows, other } = changedAnswers(before, after)
  assert.deepEqual(other, ['mmlu', 'boolq'])
  assert.deepEqual(
    rows.map(({ task, paired: { n, rightToWrong, wrongToRight, difference, p } }) => [
      task,
      [n, rightToWrong, wrongToRight, difference, p],
    ]),
    [['piqa', [4, 1, 1, 0, 1]]],
  )
  assert.deepEqual(changedAnswers({ joined: { from: [] } }, after), { rows: [], other: [] })
})
