import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { exportSchema } from '../../../engine/contract/index.ts'
import { writeGgufFile } from '../../../engine/export/gguf/export.ts'
import { findLlamaCpp, type LlamaCpp } from '../../../engine/llama-cpp/installed.ts'
import { LlamaCppModel } from '../../../engine/llama-cpp/model.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'

const found = findLlamaCpp()
const options = { skip: 'missing' in found ? found.missing : false }
const folder = mkdtempSync(join(tmpdir(), 'secateur-llama-cpp-model-'))
const file = join(folder, 'sample.gguf')
const { signal } = new AbortController()
let model: LlamaCppModel

const silent = () => {}

before(async () => {
  if ('missing' in found) return
  using checkpoint = openCheckpoint(join(import.meta.dirname, '../../../resources/sample/model'))
  const job = exportSchema.parse({
    kind: 'export',
    format: 'gguf',
    checkpoint: checkpoint.folder,
    out: file,
    threads: 1,
  })
  assert(job.format === 'gguf')
  await writeGgufFile(job, checkpoint, { signal, progress: silent, say: silent, warn: silent, prove: null })
  model = await LlamaCppModel.start(found, { signal })
  if (process.platform !== 'darwin') assert.deepEqual(model.on.cards, [])
  await model.load(file, { signal })
})
after(() => {
  model?.[Symbol.dispose]()
  rmSync(folder, { recursive: true, force: true })
})

const prompt = [1, 300, 301, 302]
const asked = { prompt, tokens: 12, threads: 1, temperature: 0.9, topP: 0.95, topK: 40, seed: 5, stop: [] as number[] }
const idsOf = async (changes: Partial<typeof asked>) => {
  const ids: number[] = []
  const written = await model.write({ ...asked, ...changes }, { signal, onToken: ({ id }) => void ids.push(id) })
  assert.equal(written.tokens, ids.length)
  return ids
}

test('a seed gives the same text again, and another seed another', options, async () => {
  const first = await idsOf({})
  assert.equal(first.length, 12)
  assert.deepEqual(await idsOf({}), first)
  assert.notDeepEqual(await idsOf({ seed: 6 }), first)
})

test('every token of a long text is told, in its order, whichever are told together', options, async () => {
  const long = await idsOf({ tokens: 200 })
  assert.equal(long.length, 200)
  assert.deepEqual(await idsOf({ tokens: 200 }), long)
  assert.deepEqual(await idsOf({}), long.slice(0, 12))
})

test('a text ends before a stopping token, and log-probabilities are those of scoring it', options, async () => {
  const greedy = await idsOf({ temperature: 0 })
  assert.deepEqual(await idsOf({ temperature: 0, stop: [greedy[3]!] }), greedy.slice(0, greedy.indexOf(greedy[3]!)))
  const told: number[] = []
  const onToken = ({
    logProbability,
    likeliest,
    id,
  }: {
    id: number
    logProbability?: number | undefined
    likeliest?: { id: number }[] | undefined
  }) => {
    told.push(logProbability!)
    assert.deepEqual([likeliest!.length, likeliest![0]!.id], [3, id])
  }
  await model.write({ ...asked, temperature: 0, alternatives: 3 }, { signal, onToken })
  const scored = await model.score([...prompt, ...greedy], 1, signal)
  assert.equal(scored.length, prompt.length + greedy.length - 1)
  // A prompt is computed at once, and here token by token.
  for (const [at, value] of told.entries()) assert.ok(Math.abs(value - scored[prompt.length - 1 + at]!) < 5e-3)
})

test('a text that is cancelled ends with what is written', options, async () => {
  const stop = new AbortController()
  let seen = 0
  const onToken = () => void (++seen === 3 && stop.abort())
  const { tokens } = await model.write({ ...asked, tokens: 400 }, { signal: stop.signal, onToken })
  assert.ok(tokens >= 3 && tokens < 400, `${tokens}`)
})

test('what llama.cpp cannot load it says why, and a crash of its process is an error in words', options, async () => {
  const bad = join(folder, 'bad.gguf')
  writeFileSync(bad, 'no model')
  using other = await LlamaCppModel.start(found as LlamaCpp, { signal })
  await assert.rejects(other.load(bad, { signal }), {
    kind: 'unsupported',
    message: /bad\.gguf: llama\.cpp: .*(error|failed)/,
  })
  const crashing = model.write(
    { ...asked, tokens: 400 },
    { signal, onToken: () => process.kill(model.pid!, 'SIGSEGV') },
  )
  await assert.rejects(crashing, {
    kind: 'unsupported',
    message: /llama\.cpp crashed \(SIGSEGV\)\..*--runner secateur/,
  })
  await assert.rejects(model.score(prompt, 1, signal), /llama\.cpp crashed/)
})
