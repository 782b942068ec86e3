import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type EngineEvent, jobSchema } from '../../../engine/contract/index.ts'
import { generateText } from '../../../engine/jobs/generate.ts'
import { generateSchema } from '../../../engine/jobs/settings.ts'
import { runJob } from '../../../engine/jobs/index.ts'
import { inspectFolder } from '../../../engine/jobs/inspect-folder.ts'
import { inspect } from '../../../engine/jobs/inspect.ts'
import { encodeText } from '../../../engine/data/text.ts'
import { openTokenizer, tokenizerWarning } from '../../../engine/models/model-tokenizer.ts'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { sample } from '../../e2e/secateur.ts'
import { sharedCase } from '../../shared-cases.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-model-tokenizer-'))
after(() => rmSync(folder, { recursive: true }))

/** The sample's model with tokens added to its tokenizer, for which the embedding, of 2048 rows, has none. */
function extended(name: string, tokens: string[], settings: object = {}): string {
  const path = join(folder, name)
  cpSync(sample('model'), path, { recursive: true })
  const change = (file: string, changes: (value: Record<string, unknown>) => object) => {
    const value = JSON.parse(readFileSync(join(path, file), 'utf8')) as Record<string, unknown>
    writeFileSync(join(path, file), JSON.stringify({ ...value, ...changes(value) }))
  }
  change('tokenizer.json', ({ added_tokens: added }) => ({
    added_tokens: [
      ...(added as object[]),
      ...tokens.map((content, index) => ({ id: 2048 + index, content, special: true, normalized: false })),
    ],
  }))
  change('tokenizer_config.json', () => settings)
  return path
}

const config = { vocabularySize: 2048 }
const padded = extended('padded', ['[PAD]'], { pad_token: '[PAD]' })
const refusal = {
  kind: 'bad-file',
  message:
    /tokenizer\.json: gives '\[PAD\]' the id 2048, but the embedding has 2048 rows: vocab_size in config\.json is/,
}

describe('a tokenizer with more tokens than the embedding has rows', () => {
  test('encodes what the model can read, refuses what it cannot, and does without a token for padding', async () => {
    const whole = await loadTokenizer(padded)
    const tokenizer = await openTokenizer({ folder: padded, config })
    assert.deepEqual(tokenizer.encode('Once upon a time'), whole.encode('Once upon a time'))
    assert.equal(whole.padId, 2048)
    assert.deepEqual([tokenizer.padId, tokenizer.bosId, tokenizer.eosId], [null, whole.bosId, whole.eosId])
    assert.throws(() => tokenizer.encode('Once [PAD] upon'), refusal)
    assert.equal((await openTokenizer({ folder: padded, config: { vocabularySize: 2049 } })).padId, 2048)
  })

  test('is refused where every text gets such a token', async () => {
    const ends = extended('ends', ['<|im_end|>'], { eos_token: '<|im_end|>' })
    const tokenizer = await openTokenizer({ folder: ends, config })
    assert.throws(() => encodeText('Once', tokenizer), /gives '<\|im_end\|>' the id 2048/)
  })

  test('is warned of with both numbers, and called the wrong one where many are too many', async () => {
    assert.match(
      (await tokenizerWarning({ folder: padded, config }))!,
      /tokenizer\.json has 2049 tokens, and the embedding has 2048 rows \(vocab_size\): a text with '\[PAD\]' is refused\.$/,
    )
    const many = extended(
      'many',
      Array.from({ length: 17 }, (_, index) => `<|more ${index}|>`),
    )
    assert.match(
      (await tokenizerWarning({ folder: many, config }))!,
      /has 2065 tokens.*texts with '<\|more 0\|>' or a later token are refused\. Is it the tokenizer of another model\?/,
    )
    assert.equal(await tokenizerWarning({ folder: sample('model'), config }), null)
    assert.equal(await tokenizerWarning({ folder, config }), null)
    const broken = extended('broken', [''])
    assert.match(
      (await tokenizerWarning({ folder: broken, config }))!,
      /^The tokenizer cannot be used: .*tokenizer\.json/,
    )
  })

  test('is warned of by inspect, and refused by jobs whose text needs the token', async () => {
    const found = await inspectFolder({ checkpoint: padded })
    assert(found.kind === 'checkpoint')
    assert.deepEqual(found.warnings, [await tokenizerWarning({ folder: padded, config })])
    assert.deepEqual((await inspect(padded)).warnings, found.warnings)

    const settings = generateSchema.parse({ checkpoint: padded, prompt: '[PAD]', device: 'onnx', threads: 1 })
    const warned: string[] = []
    const { signal } = new AbortController()
    await assert.rejects(
      generateText(settings, signal, undefined, (event) => event.type === 'warning' && warned.push(event.message)),
      refusal,
    )
    assert.deepEqual(warned, found.warnings)

    const text = join(folder, 'pad.txt')
    writeFileSync(text, 'Once upon a time [PAD] there was a girl. '.repeat(40))
    const evaluation = { perplexity: { p: text }, window: 64 }
    assert.deepEqual(
      await eventsOf({ kind: 'evaluate', checkpoint: padded, evaluation, device: 'onnx', threads: 1 }, refusal),
      found.warnings,
    )
    const training = { data: [text], steps: 1, device: 'onnx', threads: 1, batchSize: 1, sequenceLength: 32 }
    for (const kind of [{ kind: 'finetune' }, { kind: 'prune', prune: ['channels'] }])
      assert.deepEqual(
        await eventsOf({ ...kind, checkpoint: padded, out: join(folder, kind.kind), ...training }, refusal),
        found.warnings,
      )
  })
})

test('sequences longer than the model was made for are said, before anything else', async () => {
  const text = join(folder, 'short.txt')
  writeFileSync(text, 'Once upon a time.')
  const job = { kind: 'finetune', checkpoint: sample('model'), out: join(folder, 'long'), data: [text], steps: 1 }
  const warnings = await eventsOf({ ...job, device: 'onnx', threads: 1, batchSize: 1, sequenceLength: 513 }, null)
  assert.deepEqual(warnings, [
    'Sequences of 513 tokens are longer than the 512 positions that the model was made for (max_position_embeddings): what it computes beyond them is worse. Take --sequence-length 512 or less.',
  ])
})

const real = sharedCase('21-tokenizer-larger-than-embedding')
test('the model that was reported is refused with the token and both numbers', real.options, async () => {
  const evaluation = { perplexity: { p: real.path('pad.txt') }, window: 64 }
  await eventsOf(
    { kind: 'evaluate', checkpoint: real.path('model'), evaluation, device: 'onnx', threads: 1 },
    { kind: 'bad-file', message: /tokenizer\.json: gives '\[PAD\]' the id 512, but the embedding has 512 rows/ },
  )
})

const tied = sharedCase('20-tied-head-differs')
test(
  'the model that stores another head than its embedding is scored with it, as transformers does',
  tied.options,
  async () => {
    const events: EngineEvent[] = []
    const evaluation = { perplexity: { p: tied.path('text.txt') }, window: 64, maxWindows: 8 }
    const job = jobSchema.parse({
      kind: 'evaluate',
      checkpoint: tied.path('model'),
      evaluation,
      device: 'onnx',
      threads: 1,
    })
    const emit = (event: EngineEvent) => void events.push(event)
    const { perplexity } = await runJob(job, { emit, signal: new AbortController().signal, resume: false })
    assert(Math.abs(perplexity!['p']!.value - 12409.63) < 0.5, String(perplexity!['p']!.value))
    assert(events.some((event) => event.type === 'warning' && /tie_word_embeddings/.test(event.message)))
  },
)

/** Runs a job, which must end in this error where one is given; the warnings that it gave. */
async function eventsOf(job: object, error: object | null): Promise<string[]> {
  const warnings: string[] = []
  const emit = (event: EngineEvent) => {
    if (event.type === 'warning') warnings.push(event.message)
  }
  const running = runJob(jobSchema.parse(job), { emit, signal: new AbortController().signal, resume: false })
  await (error === null ? running : assert.rejects(running, error))
  return warnings
}
