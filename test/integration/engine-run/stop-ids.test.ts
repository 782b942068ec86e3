import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { z } from 'zod'
import { jobSchema } from '../../../engine/contract/index.ts'
import { generateText } from '../../../engine/jobs/generate.ts'
import { generateSchema } from '../../../engine/jobs/settings.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { stopIdsOf } from '../../../engine/models/stop-ids.ts'
import { sample } from '../../e2e/secateur.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-stop-ids-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const machine = { device: 'onnx', threads: 1 }
const signal = new AbortController().signal

/** A copy of the sample's model, with this generation_config.json. */
function modelWith(name: string, config: object | string): string {
  const model = join(folder, name)
  cpSync(sample('model'), model, { recursive: true })
  writeFileSync(join(model, 'generation_config.json'), typeof config === 'string' ? config : JSON.stringify(config))
  return model
}

const prompt = 'The baker'
const generated = (checkpoint: string) =>
  generateText(generateSchema.parse({ checkpoint, prompt, greedy: true, maxNewTokens: 12, ...machine }), signal)
const run = (job: object) => runJob(jobSchema.parse({ ...job, ...machine }), { emit: () => {}, signal, resume: false })

function stopIds(checkpoint: string): readonly number[] {
  using opened = openCheckpoint(checkpoint)
  assert.deepEqual(opened.config.eosIds, [2], 'config.json is written again as it was')
  return stopIdsOf(opened)
}

test('what generation_config.json says wins over config.json, and nothing said leaves that', () => {
  assert.deepEqual(stopIds(sample('model')), [2])
  assert.deepEqual(stopIds(modelWith('several', { bos_token_id: 1, eos_token_id: [2, 286] })), [2, 286])
  assert.deepEqual(stopIds(modelWith('one', { eos_token_id: 7 })), [7])
  assert.deepEqual(stopIds(modelWith('silent', { temperature: 0.6 })), [2])
  assert.deepEqual(stopIds(modelWith('null', { eos_token_id: null })), [2])
  assert.throws(
    () => stopIds(modelWith('text', { eos_token_id: '</s>' })),
    /generation_config.json: eos_token_id: must be a token id or a list/,
  )
  assert.throws(() => stopIds(modelWith('damaged', '{')), /generation_config.json: is not valid JSON/)
})

test('generation, examples of an evaluation and samples of a run stop there', async () => {
  const { ids } = await generated(sample('model'))
  assert.equal(ids.length, 12)
  const end = ids[5]!
  const checkpoint = modelWith('stopping', { eos_token_id: [2, end] })
  const stopped = await generated(checkpoint)
  assert.deepEqual(stopped.ids, ids.slice(0, ids.indexOf(end)))

  const evaluation = { prompts: [prompt], maxNewTokens: 12 }
  const { examples } = await run({ kind: 'evaluate', checkpoint, evaluation })
  assert.deepEqual(examples, [{ prompt, text: stopped.text }])

  const training = { data: [sample('heldout.txt')], steps: 1, sequenceLength: 16, batchSize: 1 }
  const samples = { sampleEvery: 1, samplePrompts: [prompt], sampleTokens: 12 }
  const out = join(folder, 'run')
  await run({ kind: 'finetune', checkpoint, out, ...training, ...samples })
  const [first] = readFileSync(join(out, 'samples.jsonl'), 'utf8').split('\n')
  assert.equal(z.object({ text: z.string() }).parse(JSON.parse(first!)).text, stopped.text)
})
