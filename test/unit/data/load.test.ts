import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { alpacaPrompt } from '../../../engine/data/instruction.ts'
import { type LoadProgress, type LoadOptions, loadTrainingData } from '../../../engine/data/load.ts'
import { longText, onText } from '../../../engine/shared/interruptible.ts'
import { byteTokenizer, chatMl } from './byte-tokenizer.ts'
import { sharedData, temporaryFolder } from './temporary.ts'

const folder = temporaryFolder()
const tokenizer = byteTokenizer()
const noSignals = process.platform === 'win32' && 'Windows has no such signals'

const write = (name: string, rows: unknown[]) => folder.write(name, rows.map((row) => JSON.stringify(row)).join('\n'))

async function textsOf(files: string[], options: Partial<LoadOptions> = {}) {
  const by = options.tokenizer ?? tokenizer
  const data = await loadTrainingData(files, { tokenizer: by, ...options })
  assert.equal(
    data.tokens,
    data.examples.reduce((sum, { ids }) => sum + ids.length, 0),
  )
  return { ...data, texts: data.examples.map(({ ids }) => by.decode([...ids], { keepSpecialTokens: true })) }
}

test('text, from every format', async () => {
  const text = ['a', 'b', ' ']
  const files = [
    write(
      'a.jsonl',
      text.map((value) => ({ text: value })),
    ),
    folder.write('b.json', JSON.stringify(text.map((value) => ({ sentence: value })))),
    folder.write('c.txt', text.join('\n')),
    folder.write(
      'd.parquet',
      new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'text', data: ['a', 'b', null], type: 'STRING' }] })),
    ),
  ]
  for (const file of files) {
    const data = await textsOf([file])
    assert.deepEqual(data.texts, ['<s>a</s>', '<s>b</s>'], file)
    assert.deepEqual([data.kind, data.documents, data.blank], ['text', 2, 1])
  }
  assert.equal((await textsOf(files)).documents, 8)
  assert.equal((await textsOf(files, { limit: 3 })).documents, 3)
  assert.deepEqual((await textsOf([files[2]!], { textUnit: 'document' })).texts, ['<s>a\nb\n </s>'])
})

test('instructions, by the chat template of the tokenizer, by one that is given, and as Alpaca', async () => {
  const file = write('i.jsonl', [
    { instruction: 'Q', output: 'A' },
    { instruction: 'Q', output: '' },
    { instruction: 'Q', output: null },
    { messages: [] },
  ])
  const data = await textsOf([file])
  assert.deepEqual(data.texts, [`<s>${alpacaPrompt('Q')}A</s>`])
  assert.deepEqual([data.kind, data.blank], ['instruction', 3])
  const chat = '<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n'
  assert.deepEqual((await textsOf([file], { tokenizer: byteTokenizer(chatMl, 3) })).texts, [chat])
  assert.deepEqual((await textsOf([file], { renderChat: () => 'Q|A' })).texts, ['Q|A</s>'])
  assert.equal((await textsOf([file, write('t.jsonl', [{ text: 'a' }])])).kind, 'mixed')
})

const refuse = () => {
  throw new Error('roles must alternate')
}

test('a template that refuses a conversation is named with the row', async () => {
  const file = write('odd.jsonl', [{ messages: [{ role: 'assistant', content: 'A' }] }])
  await assert.rejects(
    textsOf([file], { renderChat: refuse }),
    /odd\.jsonl: line 1: .*chat template.*roles must alternate/,
  )
})

test('a conversation that cannot be read is named with its row and message', async () => {
  const messages = [{ role: 'user', content: 'Q' }]
  const rows = [{ instruction: 'Q', output: 'A' }, { messages: [...messages, { role: 'critic', content: 'A' }] }]
  await assert.rejects(
    textsOf([write('role.jsonl', rows)]),
    /role\.jsonl: line 2: messages, message 2: has the role "critic"/,
  )
})

test('conversations in Parquet, as a struct of lists', async () => {
  const data = [{ from: ['human', 'gpt'], value: ['Q', 'A'] }]
  const columnData = [{ name: 'conversations', data, type: 'JSON' as const }]
  const file = folder.write('struct.parquet', new Uint8Array(parquetWriteBuffer({ columnData })))
  assert.deepEqual((await textsOf([file], { renderChat: () => 'Q|A' })).texts, ['Q|A</s>'])
})

test('what is too long is divided (text) or cut and, without an answer left, dropped (instructions)', async () => {
  const text = await textsOf([write('long.jsonl', [{ text: 'abcdefgh' }])], { maxLength: 4 })
  assert.deepEqual(text.texts, ['<s>abc', 'defg', 'h</s>'])
  assert.deepEqual(
    text.examples.map(({ trained }) => [...trained]),
    [
      [0, 1, 1, 1],
      [0, 1, 1, 1],
      [0, 1],
    ],
  )
  const rows = [
    { prompt: 'p', completion: 'answer' },
    { prompt: 'a long prompt', completion: 'answer' },
  ]
  const cut = await textsOf([write('cut.jsonl', rows)], { maxLength: 6 })
  assert.deepEqual(cut.texts, ['<s>pansw'])
  assert.deepEqual([cut.documents, cut.cut, cut.dropped, cut.longest], [1, 2, 1, 21])
})

describe('rows that are lost', () => {
  const rows = [
    ...Array.from({ length: 3 }, () => ({ prompt: 'a long prompt', completion: 'answer' })),
    { prompt: 'p', completion: 'answer' },
    { prompt: 'p', completion: '' },
    { prompt: 'p', completion: null },
    { prompt: 'p', completion: 'a' },
  ]

  test('are counted and told with the reason and the length that would lose none', async () => {
    const lost = await textsOf([write('lost.jsonl', rows)], { maxLength: 6 })
    assert.equal(
      lost.loss,
      'of 7 rows of training data: left out 3 longer than 6 tokens, with no answer left to learn; ' +
        'cut 1 at 6 tokens; --sequence-length 15 would leave out none, 21 would cut none; left out 2 without an answer to learn',
    )
    const { rows: read, documents, blank, unanswered, cut, dropped, skipped, needed, longest } = lost
    const counts = [read, documents, blank, unanswered, cut, dropped, skipped, needed, longest]
    assert.deepEqual(counts, [7, 2, 2, 2, 4, 3, 0, 15, 21])
    const whole = await textsOf([write('whole.jsonl', rows.slice(0, 4))], { maxLength: 21 })
    assert.deepEqual([whole.loss, whole.cut, whole.documents], [null, 0, 4])
  })

  test('are refused where they are more than may be; blank lines of a text do not count', async () => {
    const file = write('more.jsonl', rows)
    await assert.rejects(
      textsOf([file], { maxLength: 6, maxLostRows: 0.7 }),
      /maxLostRows: 71% of the rows would be lost, and 70% may be: of 7 rows .*--sequence-length 15/,
    )
    assert.equal((await textsOf([file], { maxLength: 6, maxLostRows: 0.72 })).documents, 2)
    const text = await textsOf([folder.write('lines.txt', 'a\n\n\n\nb')], { maxLostRows: 0 })
    assert.deepEqual([text.documents, text.blank, text.unanswered], [2, 3, 0])
    assert.match(text.loss!, /left out 3 blank ones/)
    await assert.rejects(
      textsOf([write('all.jsonl', rows.slice(0, 3))], { maxLength: 6 }),
      /all\.jsonl: holds 3 rows, none to train on: .*longer than 6 tokens.*--sequence-length 15/,
    )
  })

  test('as bad rows are left out if asked, whatever is wrong with them', async () => {
    const bad = [{ title: 'x' }, { messages: [{ role: 'critic', content: 'A' }] }, { prompt: 'p', completion: 'a' }]
    const lines = `${bad.map((row) => JSON.stringify(row)).join('\n')}\n{"prompt": \n[1]\n{"prompt": "p", "completion": "b"}`
    const file = folder.write('bad.jsonl', lines)
    await assert.rejects(textsOf([file]), /bad\.jsonl: line 1: has the fields title/)
    const data = await textsOf([file], { badRows: 'skip' })
    assert.deepEqual(data.texts, ['<s>pa</s>', '<s>pb</s>'])
    assert.deepEqual([data.rows, data.skipped, data.documents], [6, 4, 2])
    assert.match(
      data.loss!,
      /of 6 rows .*left out 4 that could not be read \(the first: .*line 1: has the fields title/,
    )
    await assert.rejects(textsOf([file], { badRows: 'skip', maxLostRows: 0.5 }), /67% of the rows would be lost/)
  })
})

test('data that cannot be trained on is refused, saying what is there and what is expected', async () => {
  const strange = write('strange.jsonl', [{ text: 'a' }, { title: 'x', tags: ['y'], size: 3, none: null }])
  await assert.rejects(
    textsOf([strange]),
    /strange\.jsonl: line 2: has the fields title \(string\), tags \(list\), size \(number\), none \(null\); expected text/,
  )
  await assert.rejects(textsOf([strange], { field: 'body' }), /line 1: .*text \(string\).*in the field body/)
  await assert.rejects(textsOf([folder.write('empty.txt', '')]), /empty\.txt: holds no rows/)
  await assert.rejects(textsOf([folder.write('blank.txt', '\n\n')]), /blank\.txt: holds 2 rows, none to train on/)
  await assert.rejects(textsOf([]), /at least one file/)
  await assert.rejects(textsOf([strange], { limit: 0 }), /limit/)
  await assert.rejects(textsOf([strange], { maxLength: 1 }), /maxLength/)
})

test('tells of progress, and stops when told to', async () => {
  const file = write(
    'many.jsonl',
    Array.from({ length: 20_000 }, () => ({ text: 'the text of a document '.repeat(20) })),
  )
  const controller = new AbortController()
  const progress: LoadProgress[] = []
  /** Whether more documents were told of than at first. */
  const rises = () => progress.some(({ documents }) => documents > progress[0]!.documents)
  const loading = loadTrainingData([file], {
    tokenizer,
    signal: controller.signal,
    onProgress: (state) => {
      progress.push({ ...state })
      if (rises()) setTimeout(() => controller.abort(new Error('enough')))
    },
  })
  await assert.rejects(loading, /enough/)
  assert.ok(rises())
  assert.ok(progress.at(-1)!.documents < 20_000)
})

test(
  'hears a Ctrl-C that came just before a long row, whose encoding takes the handlers away',
  { skip: noSignals },
  async () => {
    const controller = new AbortController()
    const stop = () => controller.abort(new Error('heard'))
    process.once('SIGINT', stop)
    const encode: typeof tokenizer.encode = (given, options) =>
      onText(given.length, () => {
        if (given === 'short') process.kill(process.pid, 'SIGINT')
        return tokenizer.encode(given, options)
      })
    const file = write('long-row.jsonl', [{ text: 'short' }, { text: 'a'.repeat(longText) }])
    try {
      const loading = loadTrainingData([file], { tokenizer: { ...tokenizer, encode }, signal: controller.signal })
      await assert.rejects(loading, /heard/)
    } finally {
      process.off('SIGINT', stop)
    }
  },
)

test('reads a row with what lies deep beside its text', async () => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
  const file = folder.write('deep.jsonl', `{"text":"ab","deep":${deep}}`)
  const { texts } = await textsOf([file])
  assert.deepEqual(texts, ['<s>ab</s>'])
})

describe('real data', { skip: existsSync(sharedData) ? false : 'no ../shared/data' }, () => {
  test('Alpaca by the tokenizer of stories260K: the prompt read, the answer learnt, row by row', async () => {
    const real = await loadTokenizer(join(sharedData, 'stories260K'))
    const file = join(sharedData, 'instruct/alpaca_en_demo.json')
    const rows: { instruction: string; input: string; output: string }[] = JSON.parse(readFileSync(file, 'utf8'))
    const data = await loadTrainingData([file], { tokenizer: real, limit: 200, renderChat: () => null })
    assert.deepEqual([data.kind, data.documents], ['instruction', 200])
    const answered = rows.filter(({ output }) => output.trim() !== '')
    for (const [index, { ids, trained }] of data.examples.entries()) {
      const { instruction, input, output } = answered[index]!
      const prompt = real.encode(alpacaPrompt(instruction, input))
      const whole = real.encode(alpacaPrompt(instruction, input) + output)
      assert.deepEqual([...ids], [...whole, real.eosId])
      const first = trained.indexOf(1)
      assert.ok(first >= prompt.length - 1 && first <= prompt.length, `row ${index}: ${first} of ${prompt.length}`)
      assert.ok(trained.subarray(first).every((flag) => flag === 1))
      assert.equal(real.decode([...ids.subarray(0, first)]), real.decode(prompt.slice(0, first)))
    }
  })

  test('C4 and Wikipedia text come back from their ids', async () => {
    for (const [name, documents] of [
      ['text/c4_demo.jsonl', 300],
      ['text/wiki_demo.txt', 30],
      ['parquet/wikitext-2-raw-v1_test_600.parquet', 394],
    ] as const) {
      const { kind, documents: found, texts } = await textsOf([join(sharedData, name)])
      assert.deepEqual([kind, found], ['text', documents], name)
      assert.ok(texts.every((text) => text.startsWith('<s>') && text.endsWith('</s>')))
    }
  })
})
