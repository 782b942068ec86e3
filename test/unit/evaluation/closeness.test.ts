import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { compareWindows, readWindows } from '../../../engine/evaluation/closeness.ts'
import { loadHead } from '../../../engine/models/load.ts'
import { openFixture, startBackend } from '../models/shared.ts'

before(startBackend)

const work = { signal: new AbortController().signal, onProgress: () => {} }

/** log softmax in double precision. */
function logProbabilities(logits: Float32Array): number[] {
  const top = logits.reduce((most, value) => Math.max(most, value))
  const log = top + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - top), 0))
  return Array.from(logits, (value) => value - log)
}

test('the divergence from the dense model and the share of equal tokens are those of the logits of PyTorch', async () => {
  const { fixture, checkpoint, model, adapter } = openFixture('llama_gqa')
  const windows = { ids: fixture.ids, rows: 1 }
  const outputs = await readWindows(model, adapter, windows, work)
  const found = await compareWindows(model, loadHead(checkpoint), outputs, windows, work)

  const vocabulary = fixture.logits.shape.at(-1)!
  const length = fixture.ids[0]!.length
  let [divergence, same] = [0, 0]
  for (const row of fixture.ids.keys())
    for (let position = 0; position < length - 1; position++) {
      const at = (row * length + position) * vocabulary
      const [dense, adapted] = [fixture.logits, fixture.lora.logits!].map(({ data }) =>
        data.subarray(at, at + vocabulary),
      )
      const [logQ, logP] = [logProbabilities(dense!), logProbabilities(adapted!)]
      divergence += logQ.reduce((sum, log, token) => sum + Math.exp(log) * (log - logP[token]!), 0)
      if (dense!.indexOf(Math.max(...dense!)) === adapted!.indexOf(Math.max(...adapted!))) same++
    }
  const tokens = fixture.ids.length * (length - 1)
  assert.ok(Math.abs(found.divergence - divergence / tokens) < 1e-4 * (divergence / tokens), `KL ${found.divergence}`)
  assert.deepEqual([found.agreement, found.tokens, found.windows], [same / tokens, tokens, fixture.ids.length])
  assert.ok(found.divergence > 0.1 && found.agreement < 1)
})

test('a model is no distance from itself', async () => {
  const { fixture, checkpoint, model } = openFixture('llama_bf16')
  const windows = { ids: fixture.ids, rows: 2 }
  const outputs = await readWindows(model, undefined, windows, work)
  const found = await compareWindows(model, loadHead(checkpoint), outputs, windows, work)
  assert.ok(Math.abs(found.divergence) < 1e-6)
  assert.equal(found.agreement, 1)
})
