import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { scoreTask } from '../../../engine/evaluation/likelihood.ts'
import type { ScoredRow } from '../../../engine/evaluation/task-score.ts'
import { readTask } from '../../../engine/evaluation/read-task.ts'
import { pairEncoder } from '../../../engine/evaluation/requests.ts'
import { scoredTask } from '../../../engine/evaluation/scored-task.ts'
import type { GreedyScoringModel } from '../../../engine/evaluation/scoring-model.ts'
import { oracleModel, withoutGreedy } from './oracle-model.ts'
import { data, needsData, readOracle, readWorkedExamples, taskFiles } from './shared.ts'

const close = (actual: number, expected: number) => Math.abs(actual - expected) < 1e-9

test('every request of the oracle is encoded to its ids in both modes', needsData, async () => {
  const tokenizer = await loadTokenizer(data('stories260K'))
  for (const { task, mode, rows } of readOracle().results) {
    for (const { row, requests } of rows) {
      for (const { context, continuation, context_ids, continuation_ids } of requests) {
        const encoded = pairEncoder(tokenizer, mode)(context, continuation)
        assert.deepEqual(encoded, { context: context_ids, continuation: continuation_ids }, `${task} ${mode} ${row}`)
      }
    }
  }
})

test('the worked examples have the ids of the 32k Llama tokenizer', needsData, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'secateur-llama-'))
  after(() => rm(folder, { recursive: true }))
  await copyFile(data('tokenizer/llama2-tokenizer.model'), join(folder, 'tokenizer.model'))
  const tokenizer = await loadTokenizer(folder)
  for (const { task, row, gold, contexts, continuations, ids } of readWorkedExamples()) {
    assert.equal(ids.length, 4, `${task} ${row}`)
    const pair = [contexts[gold] ?? contexts[0]!, continuations[gold]!] as const
    const modern = pairEncoder(tokenizer, 'modern')(...pair)
    const legacy = pairEncoder(tokenizer, 'legacy')(...pair)
    const encoded = [modern.context, modern.continuation, legacy.context, legacy.continuation]
    for (const [index, { first, last, count }] of ids.entries()) {
      assert.equal(encoded[index]!.length, count, `${task} ${row}`)
      assert.deepEqual(encoded[index]!.slice(0, first.length), first)
      assert.deepEqual(encoded[index]!.slice(-last.length), last)
    }
  }
})

test('with the values of the oracle every task gives its sums, predictions and scores', needsData, async () => {
  const tokenizer = await loadTokenizer(data('stories260K'))
  const { max_length, results } = readOracle()
  for (const { task, mode, rows, ...expected } of results) {
    const all = await readTask(task, taskFiles[task])
    const first = rows[0]!.row
    const { model, asked } = oracleModel(
      rows.flatMap(({ requests }) => requests),
      max_length,
    )
    const seen: ScoredRow[] = []
    const score = await scoreTask(model, tokenizer, scoredTask(task), all.slice(first, first + rows.length), {
      mode,
      batchTokens: 300,
      onRow: (row) => seen.push(row),
    })
    assert.deepEqual(
      seen.toSorted((a, b) => a.index - b.index),
      score.rows,
    )
    for (const [index, row] of rows.entries()) {
      const scored = score.rows[index]!
      assert.deepEqual([scored.task, scored.index, scored.gold], [task, index, row.gold])
      assert.equal(scored.logLikelihoods.length, row.lls.length)
      assert.ok(scored.logLikelihoods.every((value, choice) => close(value, row.lls[choice]!)))
      assert.equal(scored.pred, row.pred)
      assert.equal(scored.predNorm, row.pred_norm ?? null)
    }
    assert.equal(score.n, rows.length)
    assert.ok(close(score.acc, expected.acc) && close(score.stderr!, expected.acc_stderr), `${task} ${mode}`)
    assert.equal(score.accNorm === undefined, expected.acc_norm === undefined)
    if (expected.acc_norm !== undefined) {
      assert.ok(close(score.accNorm!, expected.acc_norm) && close(score.stderrNorm!, expected.acc_norm_stderr!))
    }
    // No row of the oracle is cut differently for different choices, so that each context is computed once.
    assert.equal(asked.items, rows.length)
    assert.ok(asked.batches > 1)
  }
})

const rows = [0, 1, 2, 3].map((gold) => ({
  contexts: [`Row ${gold}:`, `Row ${gold}:`],
  choices: ['one', 'two'],
  gold: gold % 2,
}))

/** Finds everything equally likely. */
const indifferent = (value = -1): GreedyScoringModel =>
  withoutGreedy({
    maxLength: 64,
    vocabularySize: 512,
    logLikelihoods: async (items) =>
      items.map(({ suffixes }) => suffixes.map((suffix) => suffix.map(() => value / suffix.length))),
  })

test('a tie goes to the first choice, and one row has no standard error', needsData, async () => {
  const tokenizer = await loadTokenizer(data('stories260K'))
  const score = await scoreTask(indifferent(), tokenizer, scoredTask('piqa'), rows, { limit: 1 })
  assert.deepEqual(score, {
    acc: 1,
    stderr: null,
    n: 1,
    answers: '1',
    asked: score.asked,
    total: 4,
    examples: 0,
    warnings: [],
    rows: [{ task: 'piqa', index: 0, logLikelihoods: score.rows[0]!.logLikelihoods, pred: 0, predNorm: 0, gold: 0 }],
    accNorm: 1,
    stderrNorm: null,
  })
})

test(
  'progress counts rows, a limit picks them by the mode, and a signal stops between batches',
  needsData,
  async () => {
    const tokenizer = await loadTokenizer(data('stories260K'))
    const progress: string[] = []
    const options = { limit: 2, batchTokens: 1, onProgress: (at: object) => progress.push(JSON.stringify(at)) }
    const legacy = await scoreTask(indifferent(), tokenizer, scoredTask('boolq'), rows, {
      ...options,
      mode: 'legacy' as const,
    })
    // CPython 3.11.7: random.Random(42).shuffle([0, 1, 2, 3]) gives [2, 1, 3, 0].
    assert.deepEqual(
      legacy.rows.map(({ index }) => index),
      [1, 2],
    )
    assert.deepEqual(progress, ['{"done":1,"total":2}', '{"done":2,"total":2}'])
    const stop = new AbortController()
    const stopped = scoreTask(indifferent(), tokenizer, scoredTask('boolq'), rows, {
      batchTokens: 1,
      onRow: () => stop.abort(),
      signal: stop.signal,
    })
    await assert.rejects(stopped, { name: 'AbortError' })
  },
)

test('rows with a choice longer than the model are told', needsData, async () => {
  const tokenizer = await loadTokenizer(data('stories260K'))
  const long = { ...rows[0]!, choices: ['one', 'a story '.repeat(40)] }
  const { warnings, n } = await scoreTask(indifferent(), tokenizer, scoredTask('piqa'), [rows[0]!, long, long])
  assert.equal(n, 3)
  assert.match(
    warnings.join(),
    /^2 rows have a choice of more than the 64 tokens .* \(the first such row is number 1, from 0\)/,
  )
})

test('wrong settings and a model that computes no numbers are refused', needsData, async () => {
  const tokenizer = await loadTokenizer(data('stories260K'))
  await assert.rejects(
    scoreTask(indifferent(), tokenizer, scoredTask('boolq'), rows, { limit: 0 }),
    /limit: must be a whole number/,
  )
  await assert.rejects(scoreTask(indifferent(), tokenizer, scoredTask('boolq'), []), /boolq has no rows/)
  await assert.rejects(scoreTask(indifferent(Number.NaN), tokenizer, scoredTask('boolq'), rows), /not numbers/)
})
