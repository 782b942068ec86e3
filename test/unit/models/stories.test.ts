import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { generate } from '../../../engine/evaluation/generation.ts'
import { scoreTask } from '../../../engine/evaluation/likelihood.ts'
import { CausalScoring } from '../../../engine/evaluation/causal-scoring.ts'
import { scoredTask } from '../../../engine/evaluation/scored-task.ts'
import { readTask } from '../../../engine/evaluation/read-task.ts'
import { loadModel } from '../../../engine/models/load.ts'
import { Random } from '../../../engine/shared/random.ts'
import { data, needsData, readOracle, taskFiles } from '../evaluation/shared.ts'
import { assertWithin, lastLogits, startBackend } from './shared.ts'

before(startBackend)

const oracle = z.object({
  texts: z.array(
    z.object({
      text: z.string(),
      ids: z.array(z.number()),
      token_loglikelihoods: z.array(z.number()),
      last_logits_float32: z.array(z.number()),
      last_argmax: z.number(),
    }),
  ),
  greedy: z.array(
    z.object({
      prompt: z.string(),
      prompt_ids: z.array(z.number()),
      generated_ids: z.array(z.number()),
      text: z.string(),
    }),
  ),
})
const readStories = () => oracle.parse(JSON.parse(readFileSync(data('stories260K/oracle.json'), 'utf8')))

function openStories() {
  const checkpoint = openCheckpoint(data('stories260K'))
  after(() => checkpoint[Symbol.dispose]())
  return loadModel(checkpoint)
}

test('a trained model gives the logits and likelihoods of its oracle', needsData, async () => {
  const model = openStories()
  const scoring = new CausalScoring(model)
  for (const { text, ids, token_loglikelihoods, last_logits_float32, last_argmax } of readStories().texts) {
    const scores = lastLogits(model, ids)
    assertWithin(scores, last_logits_float32, 1e-4, text)
    assert.equal(scores.indexOf(Math.max(...scores)), last_argmax)
    const [[likelihoods]] = (await scoring.logLikelihoods([{ prefix: ids.slice(0, 1), suffixes: [ids.slice(1)] }])) as [
      [number[]],
    ]
    assertWithin(likelihoods, token_loglikelihoods, 1e-4, text)
    // Several suffixes after one prefix read as if each stood there alone.
    const prefix = ids.slice(0, 5)
    const suffixes = [ids.slice(5, 9), ids.slice(7, 12), ids.slice(5)]
    const [together] = await scoring.logLikelihoods([{ prefix, suffixes }])
    const [alone] = await scoring.logLikelihoods([{ prefix, suffixes: suffixes.slice(1, 2) }])
    assertWithin(together![1]!, alone![0]!, 1e-4, text)
    assertWithin(together![2]!, token_loglikelihoods.slice(4), 1e-4, text)
  }
})

test('greedy generation tells the documented stories, character for character', needsData, async () => {
  const model = openStories()
  const tokenizer = await loadTokenizer(data('stories260K'))
  for (const { prompt, prompt_ids, generated_ids, text } of readStories().greedy) {
    const { ids } = await generate(model, prompt_ids, {
      tokens: generated_ids.length,
      temperature: 0,
      topP: 1,
      random: new Random(1),
      stop: [],
    })
    assert.deepEqual(ids, generated_ids, prompt)
    assert.equal(tokenizer.decode([...prompt_ids, ...ids]), text)
    const other = ids.with(2, (ids[2]! + 1) % 512).slice(0, 4)
    const { likeliest } = await new CausalScoring(model).greedyLikelihoods([
      { prefix: [...prompt_ids], suffixes: [ids, other] },
    ])
    assert.ok(likeliest[0]![0]!.every(Boolean), 'what is written greedily is what is likeliest')
    assert.deepEqual(likeliest[0]![1]!.slice(0, 3), [true, true, false])
  }
})

test('all seven tasks give the sums and predictions of the oracle in both modes', needsData, async () => {
  const scoring = new CausalScoring(openStories())
  const tokenizer = await loadTokenizer(data('stories260K'))
  const files = new Map<string, Awaited<ReturnType<typeof readTask>>>()
  for (const { task, mode, rows, acc, acc_norm } of readOracle().results) {
    if (!files.has(task)) files.set(task, await readTask(task, taskFiles[task]))
    const first = rows[0]!.row
    const chosen = files.get(task)!.slice(first, first + rows.length)
    const score = await scoreTask(scoring, tokenizer, scoredTask(task), chosen, { mode, batchTokens: 2048 })
    for (const [index, row] of rows.entries()) {
      const scored = score.rows[index]!
      assertWithin(scored.logLikelihoods, row.lls, 1e-3, `${task} ${mode} ${row.row}`)
      assert.equal(scored.pred, row.pred)
      assert.equal(scored.predNorm, row.pred_norm ?? null)
    }
    assert.equal(score.acc, acc)
    assert.equal(score.accNorm, acc_norm)
  }
})
