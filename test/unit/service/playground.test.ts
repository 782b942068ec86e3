import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { mergeSchema, type WrittenPiece, writtenPieceSchema } from '../../../engine/contract/index.ts'
import { generateText } from '../../../engine/jobs/generate.ts'
import { merge } from '../../../engine/jobs/merge.ts'
import { generateSchema } from '../../../engine/jobs/settings.ts'
import { writeAdapter } from '../../../engine/lora/write-peft.ts'
import { findLlamaCpp } from '../../../engine/llama-cpp/installed.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { linearOf } from '../../../engine/models/tensors.ts'
import { Random } from '../../../engine/shared/random.ts'
import { sample } from '../../e2e/secateur.ts'
import { RequestError, startService } from './client.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-playground-'))
// What is kept for llama.cpp here is kept nowhere else.
process.env['XDG_CACHE_HOME'] = join(folder, 'cache')
const found = findLlamaCpp()
after(() => rmSync(folder, { recursive: true, force: true }))
const model = { checkpoint: sample('model'), runner: 'secateur' as const }
const machine = { device: 'onnx' as const, threads: 1 }
const { request, send } = startService()
const prompt = 'The weather today'

async function written(settings: object, input: object = { prompt }, writer: { checkpoint: string } = model) {
  const pieces: WrittenPiece[] = []
  const result = await request('writeText', { model: writer, input, settings } as never, {
    part: (part) => pieces.push(writtenPieceSchema.parse(part)),
  })
  return { ...result, pieces, text: pieces.map(({ text }) => text).join('') }
}
const refusal = (pending: Promise<unknown>) =>
  pending.then(
    () => assert.fail('the request succeeded'),
    (error: unknown) => (error as RequestError).failure,
  )

test('a model writes only once it is loaded, and stays loaded', async () => {
  assert.match((await refusal(written({}))).message, /is not loaded/)
  const facts = await request('loadModel', { model, ...machine })
  assert.deepEqual([facts.ran.name, facts.chatTemplate], ['Secateur (onnx)', true])
  assert.deepEqual(await request('loadModel', { model, ...machine }), facts)
  const held = await request('releaseModels', { paths: [] })
  assert.deepEqual(held.models, [{ ...model, weightBytes: facts.weightBytes, ran: facts.ran }])
  assert.ok(held.memoryBytes > facts.weightBytes)
})

test('it writes what the command line writes, piece by piece, with log-probabilities', async () => {
  for (const temperature of [0, 0.9]) {
    const drawn = { topP: 0.9, topK: 40, seed: 3, maxNewTokens: 12 }
    const given = temperature === 0 ? { greedy: true } : { temperature }
    const settings = generateSchema.parse({ ...model, prompt, ...drawn, ...given, ...machine })
    const expected = await generateText(settings, new AbortController().signal)
    const { text, tokens, pieces, ended } = await written({ ...drawn, temperature, alternatives: 3 })
    assert.equal(text, expected.text)
    assert.deepEqual([tokens, ended], [expected.ids.length, expected.ids.length === 12 ? 'limit' : 'token'])
    assert.equal(pieces.length, tokens)
    for (const { logProbability, alternatives } of pieces) {
      assert.equal(alternatives!.length, 3)
      assert.ok(alternatives!.every((each) => each.text !== '' && each.logProbability <= 0))
      if (temperature === 0) assert.equal(logProbability, alternatives![0]!.logProbability)
    }
  }
})

const options = { skip: 'missing' in found ? found.missing : false }

test('on llama.cpp it writes the same, with the same log-probabilities, and ends as well', options, async () => {
  const writer = { ...model, runner: 'llama.cpp' as const, type: 'f16' as const }
  const stages: number[] = []
  const progress = (done: number, total: number) => void stages.push(done / total)
  const { ran, weightBytes } = await request('loadModel', { model: writer, keep: [model], ...machine }, { progress })
  assert.deepEqual([ran.runner, ran.type, ran.threads, ran.why], ['llama.cpp', 'f16', 1, null])
  assert.ok(ran.proof!.mean < 0.01 && stages.at(-1) === 1)
  assert.deepEqual(
    stages.toSorted((one, other) => one - other),
    stages,
  )
  const settings = { temperature: 0, maxNewTokens: 12, alternatives: 3 }
  const [own, theirs] = [await written(settings), await written(settings, { prompt }, writer)]
  assert.deepEqual([theirs.text, theirs.tokens, theirs.ended], [own.text, own.tokens, own.ended])
  for (const [at, { logProbability, alternatives }] of theirs.pieces.entries()) {
    assert.ok(Math.abs(logProbability! - own.pieces[at]!.logProbability!) < 0.05)
    assert.equal(alternatives![0]!.text, own.pieces[at]!.alternatives![0]!.text)
    assert.equal(alternatives!.length, 3)
  }
  const stop = own.text.slice(6, 10)
  const cut = await written({ ...settings, stop: [stop] }, { prompt }, writer)
  assert.deepEqual([cut.text, cut.ended], [own.text.slice(0, own.text.indexOf(stop)), 'text'])
  const held = await request('releaseModels', { paths: [] })
  const [, second] = held.models
  assert.deepEqual([held.models.length, second!.ran.runner, second!.weightBytes], [2, 'llama.cpp', weightBytes])
  // The process that runs it is counted, and goes with it.
  const left = await request('releaseModels', { paths: [model.checkpoint] })
  assert.deepEqual(left.models, [])
  assert.ok(left.memoryBytes < held.memoryBytes - 50e6, `${held.memoryBytes} and ${left.memoryBytes}`)
  await request('loadModel', { model, ...machine })
})

test('it ends before a stop text, and a chat goes by the template', async () => {
  const { text } = await written({ temperature: 0, maxNewTokens: 12 })
  const stop = text.slice(6, 10)
  const cut = await written({ temperature: 0, maxNewTokens: 12, stop: [stop] })
  assert.deepEqual([cut.text, cut.ended], [text.slice(0, text.indexOf(stop)), 'text'])

  const question = { role: 'user', content: 'What is the weather?' }
  const chat = await written({ temperature: 0, maxNewTokens: 12 }, { messages: [question] })
  const same = await written({ temperature: 0, maxNewTokens: 12 }, { prompt: `Question: ${question.content}\nAnswer:` })
  assert.equal(chat.text, same.text)
  const answer = { role: 'assistant', content: 'Fine.' }
  assert.match((await refusal(written({}, { messages: [question, answer] }))).message, /must be of the user/)
})

test('without a chat template a chat is refused with what to do', async () => {
  const plain = join(folder, 'plain')
  cpSync(model.checkpoint, plain, { recursive: true })
  const config = join(plain, 'tokenizer_config.json')
  const { chat_template: _, ...rest } = JSON.parse(readFileSync(config, 'utf8')) as Record<string, unknown>
  writeFileSync(config, JSON.stringify(rest))
  const other = { ...model, checkpoint: plain }
  assert.equal((await request('loadModel', { model: other, keep: [model], ...machine })).chatTemplate, false)
  const input = { messages: [{ role: 'user' as const, content: 'Hi' }] }
  const failure = await refusal(request('writeText', { model: other, input, settings: {} }))
  assert.match(failure.message, /chat_template.*give it a prompt/s)
  const left = await request('releaseModels', { paths: [plain] })
  assert.deepEqual(
    left.models.map(({ checkpoint }) => checkpoint),
    [model.checkpoint],
  )
})

test('an adapter writes on its checkpoint what the merged checkpoint writes', async () => {
  const [adapter, out] = [join(folder, 'adapter'), join(folder, 'merged')]
  using checkpoint = openCheckpoint(model.checkpoint)
  const { config } = checkpoint
  const { inputs, outputs } = linearOf(config, 0, 'down')
  const random = new Random(1)
  const values = (count: number) => Float32Array.from({ length: count }, () => random.uniform() - 0.5)
  const matrices = new Map([
    ['layers.0.down', { a: values(2 * inputs), b: values(2 * outputs), rank: 2, inputs, outputs }],
  ])
  const facts = { rank: 2, alpha: 4, dropout: 0, rankStabilised: false, targetModules: ['down'] }
  await writeAdapter(adapter, { ...facts, matrices, base: model.checkpoint }, config)
  const { signal } = new AbortController()
  const job = mergeSchema.parse({ kind: 'merge', checkpoint: model.checkpoint, adapter, out, outputDtype: 'float32' })
  await merge(job, { emit: () => {}, signal, resume: false })
  const settings = { temperature: 0, maxNewTokens: 8, alternatives: 0 }
  const texts: string[] = []
  for (const writer of [
    { ...model, adapter },
    { ...model, checkpoint: out },
  ]) {
    await request('loadModel', { model: writer, ...machine })
    texts.push((await written(settings, { prompt }, writer)).text)
  }
  assert.equal(texts[0], texts[1])
  assert.notEqual(texts[0], (await written(settings)).text)
  await request('releaseModels', { paths: [adapter, out] })
})

test('memory of models that will be released counts as free for a run', async () => {
  const job = {
    kind: 'evaluate' as const,
    checkpoint: model.checkpoint,
    device: 'onnx' as const,
    evaluation: { latency: true },
  }
  const [now, then] = await Promise.all(
    [0, 1e12].map((releasableBytes) => request('estimate', { job, releasableBytes } as never)),
  )
  assert.ok(then!.freeMemoryBytes - now!.freeMemoryBytes > 9e11)
})

test('an answer is cancelled between two tokens, and the model writes on', async () => {
  let id = 0
  const failure = await refusal(
    request(
      'writeText',
      { model, input: { prompt }, settings: { maxNewTokens: 200, temperature: 2 } },
      { sent: (sent) => (id = sent), part: () => send({ cancel: id }) },
    ),
  )
  assert.equal(failure.kind, 'interrupted')
  assert.equal((await written({ maxNewTokens: 2, temperature: 0 })).tokens, 2)
})
