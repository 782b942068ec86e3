import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Ask, Question } from '../../../electron/contract/index.ts'
import { findLlamaCpp } from '../../../engine/llama-cpp/installed.ts'
import { root, sample, TestApp } from '../../unit/electron/services.ts'

const cache = mkdtempSync(join(tmpdir(), 'secateur-playground-'))
let app: TestApp
let dense: number
let copy: number
let images: number
before(async () => {
  app = await TestApp.open(undefined, { XDG_CACHE_HOME: cache })
  await app.ask('settings.set', { device: 'onnx', threads: 1 })
  cpSync(join(sample, 'model'), join(app.dataFolder, 'copy'), { recursive: true })
  const add = async (path: string) => (await app.ask('library.import', { path })).id
  dense = await add(join(sample, 'model'))
  copy = await add(join(app.dataFolder, 'copy'))
  images = await add(join(root, 'resources/sample-vit/model'))
})
after(async () => {
  await app.remove()
  rmSync(cache, { recursive: true, force: true })
})

const settings = { maxNewTokens: 8, temperature: 0 }
const ask = (more: Partial<Ask>) =>
  app.ask('playground.ask', { mode: 'prompt', text: 'The weather today', checkpoints: [dense], settings, ...more })
const isOver = ({ answers }: Question) => answers.every(({ state }) => ['done', 'failed', 'cancelled'].includes(state))

async function settled(id: number, wanted = isOver): Promise<Question> {
  for (;;) {
    const question = await app.ask('playground.get', { id })
    if (wanted(question)) return question
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
/** What was told of the pieces of an answer. */
const pieces = (id: number, column: number) =>
  app
    .told('answerText')
    .filter((event) => event.question === id && event.column === column)
    .flatMap((event) => event.pieces)

test('checkpoints answer side by side, streamed; one that cannot does not keep the others from it', async () => {
  const { id } = await ask({ checkpoints: [dense, images, copy], settings: { ...settings, alternatives: 2 } })
  const { answers } = await settled(id)
  assert.deepEqual(
    answers.map(({ state }) => state),
    ['done', 'failed', 'done'],
  )
  assert.match(answers[1]!.problem!.message, /is a model of images, which writes no text/)
  for (const column of [0, 2]) {
    const { texts, facts } = answers[column]!
    const told = pieces(id, column)
    assert.equal(told.map(({ text }) => text).join(''), texts[0])
    assert.ok(told.length === 8 && told.every(({ alternatives }) => alternatives?.length === 2))
    assert.deepEqual([facts!.ran!.name, facts!.tokens, facts!.ended], ['Secateur (onnx)', 8, 'limit'])
    assert.match(facts!.ran!.why!, /device onnx is asked for/)
    assert.ok(facts!.loadSeconds > 0)
  }
  assert.equal(answers[0]!.texts[0], answers[2]!.texts[0])
  const state = await app.ask('playground.state')
  assert.deepEqual(
    state.models.map(({ checkpointId }) => checkpointId),
    [dense, copy],
  )
  assert.ok(state.memoryBytes! > 0 && state.releaseAt! > Date.now())
})

test('once it is loaded the first piece comes within a second', async () => {
  const { facts } = (await settled((await ask({})).id)).answers[0]!
  assert.ok(facts!.loadSeconds < 1 && facts!.firstSeconds < 1, JSON.stringify(facts))
})

test('a chat goes on with what each checkpoint said, and only with the same ones', async () => {
  const chat = { mode: 'chat' as const, checkpoints: [dense] }
  const first = await settled((await ask({ ...chat, text: 'What is the weather?' })).id)
  const follows = first.id
  const second = await settled((await ask({ ...chat, text: 'And tomorrow?', follows })).id)
  assert.deepEqual(second.said, ['What is the weather?', 'And tomorrow?'])
  assert.equal(second.answers[0]!.texts.length, 2)
  assert.equal(second.answers[0]!.texts[0], first.answers[0]!.texts[0])
  assert.ok(second.answers[0]!.facts!.promptTokens > first.answers[0]!.facts!.promptTokens)
  const other = { ...chat, checkpoints: [copy], text: 'Hm?', settings, follows }
  assert.match((await app.problem('playground.ask', other)).message, /same checkpoints/)
  const twice = { mode: 'prompt', text: 'a', checkpoints: [dense, dense], settings }
  assert.match((await app.problem('playground.ask', twice)).message, /twice to be run in the same way/)
})

test('a checkpoint answers in two types side by side', async (t) => {
  if ('missing' in findLlamaCpp()) return t.skip('there is no llama.cpp for this platform')
  const runners = (['f16', 'q4_k_m'] as const).map((type) => ({ runner: 'llama.cpp' as const, type }))
  const { id } = await ask({ checkpoints: [dense, dense], runners })
  const { answers } = await settled(id)
  assert.deepEqual(
    answers.map(({ facts }) => [facts?.ran?.runner, facts?.ran?.type]),
    runners.map(({ runner, type }) => [runner, type]),
  )
  for (const column of [0, 1])
    assert.equal(
      pieces(id, column)
        .map(({ text }) => text)
        .join(''),
      answers[column]!.texts[0],
    )
  const { models } = await app.ask('playground.state')
  assert.deepEqual(
    models.filter(({ ran }) => ran.runner === 'llama.cpp').map(({ checkpointId, ran }) => [checkpointId, ran.type]),
    [
      [dense, 'f16'],
      [dense, 'q4_k_m'],
    ],
  )
  assert.deepEqual((await app.ask('playground.history'))[0]!.checkpoints, ['model'])
  await app.ask('playground.release')
})

test('a cancelled answer keeps what was written, and the history what was asked until it is forgotten', async () => {
  const { id } = await ask({ checkpoints: [dense, copy], settings: { maxNewTokens: 200, temperature: 1.5 } })
  await settled(id, ({ answers }) => answers[0]!.texts[0] !== '')
  await app.ask('playground.cancel', { id })
  const { answers } = await settled(id)
  assert.deepEqual(
    answers.map(({ state }) => state),
    ['cancelled', 'cancelled'],
  )
  assert.ok(answers[0]!.texts[0] !== '' && answers[1]!.texts[0] === '')
  const [last, ...others] = await app.ask('playground.history')
  assert.deepEqual([last!.id, last!.text, last!.checkpoints], [id, 'The weather today', ['model', 'copy']])
  await app.ask('playground.forget', { ids: [id] })
  assert.deepEqual(await app.ask('playground.history'), others)
  await app.ask('playground.forget', {})
  assert.deepEqual(await app.ask('playground.history'), [])
  assert.equal((await app.problem('playground.get', { id })).kind, 'not-found')
})

test('prompts are kept under names, of which each stands once', async () => {
  const prompt = { name: 'Weather', mode: 'prompt' as const, system: '', text: 'The weather' }
  const { id } = await app.ask('playground.savePrompt', prompt)
  assert.equal((await app.ask('playground.savePrompt', { ...prompt, text: 'Rain' })).id, id)
  assert.deepEqual(await app.ask('playground.prompts'), [{ ...prompt, text: 'Rain', id }])
  await app.ask('playground.removePrompt', { id })
  assert.deepEqual(await app.ask('playground.prompts'), [])
})

test('a checkpoint whose files are thrown away is released, unless it answers', async () => {
  const { id } = await ask({ checkpoints: [copy], settings: { maxNewTokens: 200, temperature: 1.5 } })
  assert.match((await app.problem('library.remove', { id: copy, files: 'trash' })).message, /copy answers a question/)
  await app.ask('playground.cancel', { id })
  await settled(id)
  const held = async () => (await app.ask('playground.state')).models.map(({ checkpointId }) => checkpointId)
  await settled((await ask({ checkpoints: [copy] })).id)
  assert.ok((await held()).includes(copy))
  await app.ask('library.remove', { id: copy, files: 'trash' })
  assert.ok(!(await held()).includes(copy))
})

test('a run takes the memory of idle models, and a question waits for it unless it is to be answered beside it', async () => {
  await settled((await ask({})).id)
  const run = await app.startLongRun()
  assert.deepEqual((await app.ask('playground.state')).models, [])
  const { id } = await ask({})
  const waits = async () => (await app.ask('playground.state')).waiting
  while ((await waits()).length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual(await waits(), [{ question: id, run: { id: run.id, name: run.name } }])
  await app.ask('playground.now', { id })
  assert.equal((await settled(id)).answers[0]!.state, 'done')
  const later = await ask({})
  await app.ask('runs.cancel', { id: run.id })
  assert.equal((await settled(later.id)).answers[0]!.state, 'done')
  await app.ask('playground.release')
  assert.deepEqual((await app.ask('playground.state')).memoryBytes, null)
})
