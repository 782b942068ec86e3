import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import sharp from 'sharp'
import { parseConfig } from '../../../engine/models/registry.ts'
import { expectedTensors } from '../../../engine/models/tensors.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { writeAdapter } from '../../../engine/lora/write-peft.ts'
import { layOut } from '../../../engine/checkpoint/safetensors-header.ts'
import { criterionName, most, pruneSchema, sweepSchema } from '../../../engine/contract/index.ts'
import { histogram } from '../../../engine/datasets/token-lengths.ts'
import { sample } from '../../e2e/secateur.ts'
import { data, needsData } from '../evaluation/shared.ts'
import { RequestError, startService } from './client.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-service-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const made = (...parts: string[]) => join(folder, ...parts)
const file = (name: string, text: string) => {
  writeFileSync(made(name), text)
  return made(name)
}
const model = sample('model')
const { request, send, child } = startService()

/** The failure of a request that must fail. */
async function failureOf(pending: Promise<unknown>) {
  const error = await pending.then(
    () => assert.fail('the request succeeded'),
    (caught: unknown) => caught,
  )
  assert.ok(error instanceof RequestError, String(error))
  return error.failure
}

/** The text of tokens, or of those of them that are, or are not, targets. */
const textOf = (tokens: readonly { text: string; target: boolean }[], target?: boolean) =>
  tokens
    .filter((token) => target === undefined || token.target === target)
    .map(({ text }) => text)
    .join('')

const countsReads = existsSync('/proc/self/io') ? false : 'only Linux counts what a process reads'
/** Bytes that a process has read from files so far. */
const bytesRead = (pid: number): number => Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))![1])

const job = (more: object = {}) =>
  pruneSchema.parse({
    kind: 'prune',
    checkpoint: model,
    data: [sample('train.jsonl')],
    out: made('run'),
    ratio: 0.5,
    steps: 100,
    device: 'onnx',
    threads: 1,
    ...more,
  })

const preview = (path: string, more: object = {}) =>
  request('previewDataset', { path, checkpoint: model, trainOn: 'answers', ...more })

const parquetOf = async (name: string) => {
  const { format, kind, task, rows } = await request('detectDataset', { path: data(`parquet/${name}`) })
  return [format, kind, task, rows]
}

/** A checkpoint of the size that its config says, whose weights are holes in its files. */
function writeHollowCheckpoint(name: string, config: Record<string, unknown>, shards: number): string {
  mkdirSync(made(name))
  writeFileSync(made(name, 'config.json'), JSON.stringify(config))
  const tensors = [...expectedTensors(parseConfig(config, 'config.json'))]
  const map: Record<string, string> = {}
  for (let shard = 0; shard < shards; shard++) {
    const part = `model-${String(shard + 1).padStart(5, '0')}-of-${String(shards).padStart(5, '0')}.safetensors`
    const own = tensors.filter((_, index) => Math.floor((index * shards) / tensors.length) === shard)
    const planned = own.map(([tensor, shape]) => ({ name: tensor, dtype: 'float16' as const, shape }))
    const { header, bytes } = layOut(planned, { format: 'pt' })
    writeFileSync(made(name, part), header)
    truncateSync(made(name, part), bytes)
    for (const [tensor] of own) map[tensor] = part
  }
  writeFileSync(made(name, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
  return made(name)
}

describe('inspect', () => {
  test('says what a checkpoint is', async () => {
    const found = await request('inspect', { checkpoint: model })
    assert.ok(found.kind === 'checkpoint')
    assert.deepEqual([found.family, found.architecture, found.dtype], ['llama', 'LlamaForCausalLM', 'bfloat16'])
    assert.ok(found.parameters > 1e5 && found.bytes === 2 * found.parameters)
    assert.deepEqual(
      found.files.map(({ name }) => name),
      readdirSync(model).sort(),
    )
    assert.ok(found.tokenizer && 'kind' in found.tokenizer)
    assert.equal(found.tokenizer.vocabulary, found.vocabularySize)
  })

  test('reads no weights of a sharded checkpoint of 13 GB', { skip: countsReads }, async () => {
    const config = {
      model_type: 'llama',
      vocab_size: 32_000,
      hidden_size: 4096,
      intermediate_size: 11_008,
      num_hidden_layers: 32,
      num_attention_heads: 32,
    }
    const path = writeHollowCheckpoint('llama-7b', config, 3)
    const earlier = bytesRead(child.pid!)
    const found = await request('inspect', { checkpoint: path })
    const read = bytesRead(child.pid!) - earlier
    assert.ok(found.kind === 'checkpoint')
    assert.deepEqual([found.parameters, found.bytes, found.tokenizer], [6_738_415_616, 13_476_831_232, null])
    assert.ok(read < 10e6, `${read} bytes were read`)
    rmSync(path, { recursive: true })
  })

  test('says what is wrong with a tokenizer and reads the rest', async () => {
    cpSync(model, made('mute'), { recursive: true })
    writeFileSync(made('mute', 'tokenizer.json'), '{"model": 1}')
    const found = await request('inspect', { checkpoint: made('mute') })
    assert.ok(found.kind === 'checkpoint' && found.tokenizer && 'error' in found.tokenizer)
    assert.equal(found.tokenizer.error.file, made('mute', 'tokenizer.json'))
  })

  test('says what an adapter is', async () => {
    const matrix = { a: new Float32Array(8), b: new Float32Array(12), rank: 2, inputs: 4, outputs: 6 }
    using checkpoint = openCheckpoint(model)
    const adapter = {
      rank: 2,
      alpha: 4,
      dropout: 0,
      rankStabilised: false,
      targetModules: ['q'],
      base: 'some/base',
      matrices: new Map([
        ['layers.0.q', matrix],
        ['layers.1.q', matrix],
      ]),
    }
    await writeAdapter(made('adapter'), adapter, checkpoint.config)
    const { files, ...found } = await request('inspect', { checkpoint: made('adapter') })
    assert.deepEqual(found, {
      kind: 'adapter',
      folder: made('adapter'),
      rank: 2,
      alpha: 4,
      dropout: 0,
      rankStabilised: false,
      targetModules: ['q'],
      layers: 2,
      parameters: 40,
      bytes: 160,
      base: 'some/base',
    })
    assert.equal(files.length, 2)
  })

  test('names the file that is damaged', async () => {
    cpSync(model, made('cut'), { recursive: true })
    truncateSync(made('cut', 'model.safetensors'), 1000)
    const failure = await failureOf(request('inspect', { checkpoint: made('cut') }))
    assert.deepEqual([failure.kind, failure.file], ['bad-file', made('cut', 'model.safetensors')])
    assert.equal((await failureOf(request('inspect', { checkpoint: made('absent') }))).kind, 'bad-file')
  })
})

describe('hash', () => {
  test('is of the content, not of the place', async () => {
    cpSync(model, made('copy'), { recursive: true })
    writeFileSync(made('copy', 'README.md'), 'mine')
    const steps: number[] = []
    const one = await request('hash', { folder: model }, { progress: (done) => steps.push(done) })
    const other = await request('hash', { folder: made('copy') })
    assert.deepEqual(other, one)
    assert.match(one.hash, /^[0-9a-f]{64}$/)
    assert.equal(steps.at(-1), one.bytes)
    truncateSync(made('copy', 'model.safetensors'), 1000)
    assert.notEqual((await request('hash', { folder: made('copy') })).hash, one.hash)
  })

  test('is cancelled', async () => {
    mkdirSync(made('huge'))
    writeFileSync(made('huge', 'model.safetensors'), '')
    truncateSync(made('huge', 'model.safetensors'), 20e9)
    let asked: number | undefined
    const told: number[] = []
    const failure = await failureOf(
      request(
        'hash',
        { folder: made('huge') },
        {
          sent: (id) => void (asked = id),
          progress(done) {
            told.push(done)
            if (asked !== undefined) send({ cancel: asked })
          },
        },
      ),
    )
    assert.equal(failure.kind, 'interrupted')
    assert.ok(told[0]! < 20e9 && told.at(-1)! < 20e9, `it read on to ${told.at(-1)} of 20e9 bytes`)
    rmSync(made('huge'), { recursive: true })
  })
})

describe('detectDataset', () => {
  const tasks: [string, string, number][] = [
    ['piqa/valid.jsonl', 'piqa', 0],
    ['boolq/dev.jsonl', 'boolq', 0],
    ['hellaswag/hellaswag_val.jsonl', 'hellaswag', 0],
    ['winogrande/dev.jsonl', 'winogrande', 0],
    ['arc/ARC-Easy-Test.jsonl', 'arc_easy', 0],
    ['arc/ARC-Challenge-Test.jsonl', 'arc_challenge', 0],
    ['openbookqa/test.jsonl', 'openbookqa', 0],
  ]
  for (const [path, task] of tasks)
    test(`knows ${task}`, async () => {
      const found = await request('detectDataset', { path: sample(`tasks/${path}`) })
      assert.deepEqual([found.format, found.kind, found.task], ['jsonl', 'multiple-choice', task])
      assert.ok(found.rows! > 0)
    })

  test('refuses the files of a model beside its weights', async () => {
    for (const name of ['config.json', 'tokenizer_config.json'])
      await assert.rejects(
        request('detectDataset', { path: sample(`model/${name}`) }),
        /belongs to the configuration of a model, not to data/,
      )
  })

  test('knows text, conversations and a field that is called something else', async () => {
    const kindOf = async (path: string) => {
      const { format, kind, field, rows } = await request('detectDataset', { path })
      return [format, kind, field, rows]
    }
    assert.deepEqual(await kindOf(file('a.txt', 'one\n\ntwo\n')), ['text', 'text', 'text', 3])
    assert.deepEqual(await kindOf(file('a.jsonl', '{"story": "long ago", "n": 1}\n\n')), ['jsonl', 'text', 'story', 1])
    const alpaca = '[{"instruction": "Say", "input": "", "output": "hi"}]'
    assert.deepEqual(await kindOf(file('alpaca.json', alpaca)), ['json', 'instruction', undefined, 1])
    const chat = '{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}\n'
    assert.deepEqual(await kindOf(file('chat.jsonl', chat)), ['jsonl', 'instruction', 'conversations', 1])
    const failure = await failureOf(request('detectDataset', { path: file('n.jsonl', '{"n": 1}\n') }))
    assert.match(failure.message, /fields n; none of them holds text/)
  })

  test('reads no more of a big file than its first rows', { skip: countsReads }, async () => {
    const path = file('big.jsonl', '{"text": "once"}\n'.repeat(100))
    truncateSync(path, 40e9)
    const earlier = bytesRead(child.pid!)
    const { kind, rows, bytes } = await request('detectDataset', { path })
    const read = bytesRead(child.pid!) - earlier
    assert.deepEqual([kind, rows, bytes], ['text', null, 40e9])
    assert.ok(read < 100e6, `${read} bytes were read`)
    rmSync(path)
  })

  test('knows Parquet by its columns', needsData, async () => {
    const choices = ['parquet', 'multiple-choice']
    assert.deepEqual(await parquetOf('piqa_validation_200.parquet'), [...choices, 'piqa', 200])
    assert.deepEqual(await parquetOf('winogrande_xl_validation_200.parquet'), [...choices, 'winogrande', 200])
    assert.deepEqual(await parquetOf('openbookqa_main_test_200.parquet'), [...choices, 'openbookqa', 200])
    assert.deepEqual(await parquetOf('ptb_validation_600.parquet'), ['parquet', 'text', undefined, 600])
  })
})

describe('previewDataset', () => {
  test('shows the prompt template and where loss is taken', async () => {
    const rows = [{ instruction: 'Name the smith.', input: '', output: 'Arla, the smith’s name.' }]
    const { rows: shown, more } = await preview(file('one.json', JSON.stringify(rows)))
    assert.equal(more, false)
    const { tokens, tokenCount, truncated } = shown[0]!
    assert.deepEqual([tokens.length, truncated], [tokenCount, false])
    assert.equal(textOf(tokens), '<s>Question: Name the smith.\nAnswer: Arla, the smith’s name.</s>')
    assert.equal(textOf(tokens, true).trimStart(), 'Arla, the smith’s name.</s>')
    const everything = await preview(made('one.json'), { trainOn: 'everything' })
    assert.equal(everything.rows[0]!.tokens.filter(({ target }) => !target).length, 1)
  })

  test('pages through rows, cuts long ones and says which cannot be used', async () => {
    const lines = Array.from({ length: 30 }, (_, i) => JSON.stringify({ text: `row ${i}` }))
    lines[12] = JSON.stringify({ text: 'The baker went home. '.repeat(4000) })
    lines[13] = JSON.stringify({ other: 'no text' })
    const path = file('pages.jsonl', lines.join('\n'))
    const page = await preview(path, { offset: 10, limit: 5 })
    assert.deepEqual(
      page.rows.map(({ index }) => index),
      [10, 11, 12, 13, 14],
    )
    assert.equal(page.more, true)
    assert.match(textOf(page.rows[0]!.tokens), /row 10/)
    assert.deepEqual([page.rows[2]!.truncated, page.rows[2]!.tokens.length], [true, 2048])
    assert.match(page.rows[3]!.error!.message, /row 14: .*fields other/)
    assert.equal((await preview(path, { offset: 25, limit: 50 })).more, false)
  })

  test('marks the right answer of a question as what is scored', async () => {
    const { rows } = await preview(sample('tasks/piqa/valid.jsonl'), { kind: 'multiple-choice', limit: 3 })
    assert.equal(rows.length, 3)
    for (const { choices, tokens } of rows) {
      const [right, ...others] = choices!.filter(({ correct }) => correct)
      assert.deepEqual(others, [])
      assert.equal(textOf(tokens, true).trim(), right!.text.trim())
    }
  })
})

test('tokenLengths counts the first rows', async () => {
  const path = file('lengths.jsonl', Array.from({ length: 40 }, (_, i) => `{"text": "row ${i}"}`).join('\n'))
  const all = await request('tokenLengths', { path, checkpoint: model, trainOn: 'answers' })
  assert.deepEqual([all.examples, all.complete], [40, true])
  assert.equal(
    all.counts.reduce((sum, count) => sum + count, 0),
    40,
  )
  const some = await request('tokenLengths', { path, checkpoint: model, trainOn: 'answers', sample: 10 })
  assert.deepEqual([some.examples, some.complete], [10, false])
  assert.deepEqual(histogram([1, 3, 130]), {
    counts: [1, 0, 0, ...Array.from({ length: 23 }, () => 0), 1].with(0, 2),
    binWidth: 5,
    examples: 3,
    tokens: 134,
    longest: 130,
    mean: 134 / 3,
  })
})

test('imageThumbnails shows what can be read and says what cannot', async () => {
  for (const name of ['cat', 'dog']) mkdirSync(made('images', name), { recursive: true })
  const red = sharp({ create: { width: 60, height: 30, channels: 3, background: 'red' } }).png()
  await red.toFile(made('images/cat/a.png'))
  await red.toFile(made('images/dog/a.png'))
  writeFileSync(made('images/dog/broken.jpg'), 'no image')
  const path = made('images')
  const { kind, rows, classes } = await request('detectDataset', { path })
  assert.deepEqual([kind, rows], ['images', 3])
  assert.deepEqual(classes, [
    { name: 'cat', images: 1 },
    { name: 'dog', images: 2 },
  ])
  const { images, total } = await request('imageThumbnails', { path, offset: 1, limit: 10, size: 20 })
  assert.equal(total, 3)
  const [good, bad] = images
  assert.ok(good && 'dataUrl' in good && bad && 'error' in bad)
  assert.deepEqual([good.name, good.className, good.width, good.height], ['dog/a.png', 'dog', 60, 30])
  const small = await sharp(Buffer.from(good.dataUrl.split(',')[1]!, 'base64')).metadata()
  assert.deepEqual([small.width, small.height], [20, 10])
  assert.equal(bad.error.file, made('images/dog/broken.jpg'))
  mkdirSync(made('formats/red'), { recursive: true })
  for (const format of ['jpeg', 'webp', 'gif', 'tiff', 'avif'])
    await red
      .clone()
      .toFormat(format as 'jpeg')
      .toFile(made('formats/red', `a.${format}`))
  writeFileSync(made('formats/red', 'drawn.png'), '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
  const { images: all } = await request('imageThumbnails', { path: made('formats') })
  assert.deepEqual(
    all.map((image) => [image.name, 'dataUrl' in image]),
    [
      ['red/a.avif', true],
      ['red/a.gif', true],
      ['red/a.jpeg', true],
      ['red/a.tiff', true],
      ['red/a.webp', true],
      ['red/drawn.png', false],
    ],
  )
  const { images: cats, total: ofCats } = await request('imageThumbnails', { path, className: 'cat' })
  assert.deepEqual([cats.map(({ name }) => name), ofCats], [['cat/a.png'], 1])
})

describe('estimate', () => {
  test('tells what will be left, and how long it takes in proportion', async () => {
    const { layers } = (await request('inspect', { checkpoint: model })) as { layers: { channels: number }[] }
    const short = await request('estimate', { job: job() })
    assert.deepEqual(
      short.layersAfter.map(({ channels }) => channels),
      layers.map(({ channels }) => channels / 2),
    )
    assert.equal(short.fits, true)
    const long = await request('estimate', { job: job({ steps: 10_000 }) })
    assert.ok(long.seconds! > 20 * short.seconds!, `${long.seconds} and ${short.seconds} s`)
    assert.match(short.secondsFrom, /billion a second/)
    const passes = await request('estimate', { job: job({ steps: undefined, epochs: 1 }) })
    assert.ok(passes.seconds! > 0)
    assert.match(passes.secondsFrom, /first rows/)
  })

  test('is told for the most steps that a job may have, and more are refused', async () => {
    const long = await request('estimate', { job: job({ steps: most.steps, frequency: 1 }) })
    assert.ok(long.seconds! > 1e5)
    const tooLong = await failureOf(request('estimate', { job: { ...job(), steps: 2 ** 31 } }))
    assert.equal(tooLong.field, 'job.steps')
  })

  test('tells what scoring costs by each criterion', async () => {
    const costs = async (settings: object) => (await request('estimate', { job: job(settings) })).scoring!
    const usual = await costs({ steps: 1000, schedule: 'iterative' })
    assert.deepEqual(Object.keys(usual).sort(), [...criterionName.options].sort())
    assert.equal(usual.random.seconds, 0)
    for (const criterion of ['wanda', 'flap', 'depth'] as const)
      assert.ok(usual[criterion].seconds < usual.gradient.seconds, `${criterion} needs no backward pass`)
    assert.ok(usual.loraprune.memoryBytes < usual.gradient.memoryBytes)
    const longer = await costs({ steps: 2000, schedule: 'iterative' })
    assert.ok(Math.abs(longer.loraprune.seconds / usual.loraprune.seconds - 2) < 0.01)
    const rows = await costs({ steps: 1000, schedule: 'iterative', calibrationSamples: 64 })
    assert.ok(rows.gradient.seconds > 1.5 * usual.gradient.seconds)
    const chosen = await request('estimate', { job: job({ steps: 1000, criterion: 'gradient' }) })
    const drawn = await request('estimate', { job: job({ steps: 1000, criterion: 'random' }) })
    const difference = chosen.seconds! - drawn.seconds!
    assert.ok(Math.abs(difference - usual.gradient.seconds) < 0.01 * chosen.seconds!, `${difference} s`)
  })

  test('adds up the runs of a sweep', async () => {
    const base = { data: [sample('train.jsonl')], steps: 100, device: 'onnx', threads: 1 }
    const values = { ratio: [0.2, 0.5], seed: [0, 1, 2] }
    const sweep = sweepSchema.parse({ kind: 'sweep', checkpoint: model, out: made('sweep'), base, values })
    const all = await request('estimate', { job: sweep })
    const one = await request('estimate', { job: job() })
    assert.ok(Math.abs(all.seconds! / one.seconds! - 6) < 1, `${all.seconds} and ${one.seconds} s`)
    assert.match(all.secondsFrom, /^For 6 runs/)
    assert.equal(all.sweep?.runs, 6)
    assert.ok(all.sweep.parameters.least < all.sweep.parameters.most && all.sweep.seconds.least < all.seconds! / 2)
    const contradictory = { ...sweep, values: { criterion: ['loraprune', 'wanda-unstructured'] } }
    const clash = await failureOf(request('estimate', { job: contradictory }))
    assert.deepEqual(
      [clash.field, clash.message],
      [
        'schedule',
        'schedule: wanda-unstructured sets weights to zero all at once: use one-shot (in the run 2-wanda_unstructured)',
      ],
    )
    const wrong = await failureOf(request('estimate', { job: { ...sweep, values: { ratio: [7] } } }))
    assert.equal(wrong.kind, 'bad-setting')
  })

  test('says what does not fit', async () => {
    const large = await request('estimate', { job: job({ batchSize: 100_000, sequenceLength: 2048 }) })
    assert.equal(large.fits, false)
    assert.match(large.warnings[0]!, /needs about .* of memory/)
  })
})

describe('the process', () => {
  test('refuses what is no request of its own, and goes on', async () => {
    send({ dance: true })
    assert.match((await failureOf(request('toString' as 'devices', {}))).message, /no method toString/)
    const wrong = await failureOf(request('inspect', { checkpoint: '' }))
    assert.deepEqual([wrong.kind, wrong.field], ['bad-setting', 'checkpoint'])
    assert.equal((await request('inspect', { checkpoint: model })).kind, 'checkpoint')
  })

  test('answers many requests at once', async () => {
    const answers = await Promise.all(Array.from({ length: 9 }, () => request('inspect', { checkpoint: model })))
    assert.ok(answers.every(({ kind }) => kind === 'checkpoint'))
  })

  test('ends when its parent goes away', async () => {
    const other = startService()
    await other.request('inspect', { checkpoint: model })
    const ended = new Promise((done) => other.child.once('exit', done))
    other.child.disconnect()
    assert.equal(await ended, 0)
    assert.equal(child.exitCode, null)
  })

  test('loads only the contract when it starts', () => {
    const script = `
      import { registerHooks } from 'node:module'
      const loaded = []
      registerHooks({
        load(url, context, next) {
          loaded.push(url)
          return next(url, context)
        },
      })
      await import(${JSON.stringify(join(import.meta.dirname, '../../../engine/entries/service/serve.ts'))})
      const folders = loaded.flatMap((url) => /[/]engine[/]([^/]+)/.exec(url)?.[1] ?? [])
      console.log([...new Set(folders)].sort().join(' '))`
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    assert.equal(stdout, 'contract entries shared\n', stderr)
  })

  test('loads no tensors to look at a checkpoint', () => {
    const script = `
      import { createRequire } from 'node:module'
      import { handlers } from ${JSON.stringify(join(import.meta.dirname, '../../../engine/entries/service/methods.ts'))}
      const inspect = await handlers.inspect()
      await inspect({ checkpoint: ${JSON.stringify(model)} }, { signal: new AbortController().signal, progress() {} })
      const loaded = Object.keys(createRequire(import.meta.url).cache)
      console.log(JSON.stringify(loaded.filter((path) => /tensorflow|onnxruntime/.test(path))))
      await import('@tensorflow/tfjs')
      console.log(Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('tensorflow')))`
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: join(import.meta.dirname, '../../..'),
      encoding: 'utf8',
    })
    // The second line shows that the first one would tell.
    assert.equal(stdout, '[]\ntrue\n', stderr)
  })
})
