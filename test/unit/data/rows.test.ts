import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer'
import { openParquet } from '../../../engine/data/parquet-file.ts'
import { readParquet } from '../../../engine/data/parquet.ts'
import { type RowOptions, readRows } from '../../../engine/data/rows.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { sharedData, temporaryFolder } from './temporary.ts'

const folder = temporaryFolder()
async function rowsOf(file: string, options?: RowOptions) {
  const rows = []
  for await (const row of readRows(file, options)) rows.push(row)
  return rows
}
const readAs = (name: string, content: string | Uint8Array, options?: RowOptions) =>
  rowsOf(folder.write(name, content), options)

async function refuses(name: string, content: string | Uint8Array, pattern: RegExp, options?: RowOptions) {
  await assert.rejects(readAs(name, content, options), (error) => {
    assert.ok(error instanceof SecateurError, String(error))
    assert.equal(error.kind, 'bad-file')
    assert.match(error.message, new RegExp(`${name}.*${pattern.source}`, 's'))
    return true
  })
}

const two = [{ text: 'a' }, { text: 'b\u2028é😀' }]
const lines = two.map((row) => JSON.stringify(row)).join('\n')

describe('JSON lines', () => {
  const forms: Record<string, string | Uint8Array> = {
    'no ending of the last line': lines,
    'an ending of the last line': `${lines}\n`,
    'CRLF and blank lines': `\r\n${lines.replace('\n', '\r\n\r\n')}\r\n\r\n`,
    'a byte order mark': `\ufeff${lines}`,
    gzip: gzipSync(lines),
    'an array after all': `  [${lines.replace('\n', ',\n')}]\n`,
  }
  for (const [name, content] of Object.entries(forms)) {
    test(name, async () => assert.deepEqual(await readAs('rows.jsonl', content), two))
  }

  test('lines longer than a piece of the stream', async () => {
    const long = { text: 'é'.repeat(3 * 2 ** 20) }
    assert.deepEqual(await readAs('long.jsonl', `${JSON.stringify(long)}\n${lines}`), [long, ...two])
  })

  test('errors name line and column', async () => {
    await refuses('broken.jsonl', '{"a": 1}\n\n{"a": x}\n', /line 3, column 7: is not valid JSON: "x"/)
    await refuses('comma.jsonl', '{"a": 1 "b": 2}', /line 1, column 9: .*"""/)
    await refuses('cut.jsonl', '{"a": 1}\n{"a": "tex', /line 2, column 11: .*ends too early/)
    await refuses('number.jsonl', '{"a": 01}', /line 1, column 8/)
    await refuses('list.jsonl', '{"a": 1}\n["a"]', /line 2: .*not a list/)
    await refuses('string.jsonl', '"a"', /line 1: .*not a string/)
    await refuses('bytes.jsonl', Buffer.from('{"a": "\xe9"}', 'latin1'), /line 1: is not UTF-8/)
    await refuses('wide.jsonl', Buffer.from(`\ufeff${lines}`, 'utf16le'), /UTF-16/)
  })

  test('a line over the limit is refused before it is held', async () => {
    await refuses('limit.jsonl', `{}\n{"a": "${'x'.repeat(100)}"}`, /line 2: is longer than 50 bytes/, { rowLimit: 50 })
    await refuses('endless.jsonl', 'x'.repeat(3 * 2 ** 20), /line 1: is longer than 50 bytes/, { rowLimit: 50 })
  })
})

describe('JSON', () => {
  const forms = {
    'a pretty array': JSON.stringify(two, null, 2),
    'a dense array': JSON.stringify(two),
    'CRLF and a byte order mark': `\ufeff${JSON.stringify(two, null, 2).replaceAll('\n', '\r\n')}\r\n`,
    lines,
    'objects one after the other': two.map((row) => JSON.stringify(row, null, 4)).join('\n'),
  }
  for (const [name, content] of Object.entries(forms)) {
    test(name, async () => assert.deepEqual(await readAs('rows.json', content), two))
  }

  test('brackets and quotation marks in strings, nested values, an empty array', async () => {
    const rows = [
      { a: '}]"\\', b: { c: [1, [2, {}]], d: '{"[' } },
      { 'k"{': null, e: '\\"' },
    ]
    assert.deepEqual(await readAs('nested.json', JSON.stringify(rows)), rows)
    assert.deepEqual(await readAs('empty.json', '[]'), [])
    assert.deepEqual(await readAs('nothing.json', ''), [])
  })

  test('rows that cross the pieces of the stream', async () => {
    const rows = Array.from({ length: 40 }, (_, index) => ({ index, text: '"\\é😀{['.repeat(10_007) }))
    assert.deepEqual(await readAs('large.json', JSON.stringify(rows)), rows)
  })

  test('errors name line and column', async () => {
    await refuses('colon.json', '[\n  {"a": 1},\n  {"a" 2}\n]', /line 3, column 8: .*"2"/)
    await refuses('inner.json', '[\n  {"a": 1,\n   "b": tru}\n]', /line 3, column 12: .*"}"/)
    await refuses('quote.json', '[{"a": "x}\n]', /line 1, column 11: a line ends within a string/)
    await refuses('between.json', '[{"a": 1} {"a": 2}]', /line 1, column 11: a comma is missing/)
    await refuses('texts.json', '["a", "b"]', /line 1, column 2: .*a row, an object in braces/)
    await refuses('open.json', '[{"a": 1},\n', /ends before the JSON array does/)
    await refuses('cut.json', '[{"a": 1},\n {"a": [1', /line 2, column 2: the file ends within this row/)
    await refuses('more.json', '[{"a": 1}] x', /line 1, column 12: something follows the end/)
    await refuses('limit.json', `[{"a": "${'x'.repeat(2 ** 20)}"}]`, /line 1, column 2: .*over 50 bytes/, {
      rowLimit: 50,
    })
  })
})

describe('text', () => {
  const content = '\ufeff = A = \r\n\r\n one\ntwo \n \n\nthree\u2028still\n'
  test('lines', async () => {
    const texts = [' = A = ', '', ' one', 'two ', ' ', '', 'three\u2028still']
    assert.deepEqual(
      await readAs('a.txt', content),
      texts.map((text) => ({ text })),
    )
  })
  test('paragraphs', async () => {
    const texts = [' = A = ', ' one\ntwo ', 'three\u2028still']
    assert.deepEqual(
      await readAs('a.raw', content, { textUnit: 'paragraph' }),
      texts.map((text) => ({ text })),
    )
  })
  test('a whole document', async () => {
    const text = ' = A = \n\n one\ntwo \n \n\nthree\u2028still\n'
    assert.deepEqual(await readAs('a.md', content, { textUnit: 'document' }), [{ text }])
    await refuses('b.txt', content, /longer than 9 bytes/, { textUnit: 'document', rowLimit: 9 })
  })
})

const columns: ColumnSource[] = [
  { name: 'text', data: ['a', 'é😀', null, 'd'], type: 'STRING' },
  { name: 'small', data: [1n, -2n, 3n, 4n], type: 'INT64' },
  { name: 'large', data: [1n, 2n ** 60n, 3n, 4n], type: 'INT64' },
  { name: 'flag', data: [true, false, true, false], type: 'BOOLEAN' },
  { name: 'when', data: Array.from({ length: 4 }, () => new Date('2024-01-02T03:04:05Z')), type: 'TIMESTAMP' },
  { name: 'nested', data: [{ list: ['x'] }, { list: [] }, null, { list: ['y', 'z'] }], type: 'JSON' },
]

const bytes = () => new Uint8Array(parquetWriteBuffer({ columnData: columns, rowGroupSize: 3 }))

describe('Parquet', () => {
  test('values become plain JSON, over several row groups', async () => {
    const rows = await readAs('rows.parquet', bytes())
    const when = '2024-01-02T03:04:05.000Z'
    assert.deepEqual(rows, [
      { text: 'a', small: 1, large: 1, flag: true, when, nested: { list: ['x'] } },
      { text: 'é😀', small: -2, large: String(2n ** 60n), flag: false, when, nested: { list: [] } },
      { text: null, small: 3, large: 3, flag: true, when, nested: null },
      { text: 'd', small: 4, large: 4, flag: false, when, nested: { list: ['y', 'z'] } },
    ])
    assert.deepEqual(JSON.parse(JSON.stringify(rows)), rows)
    assert.equal((await readAs('named-wrongly.bin', bytes())).length, 4)
  })

  test('damaged files give a clear error and no others', async () => {
    const whole = bytes()
    await refuses('magic.parquet', 'text', /does not start as a Parquet file/)
    for (const length of [4, 8, 12, 100, whole.length - 1, whole.length - 50]) {
      await refuses('cut.parquet', whole.slice(0, length), /cannot be read as Parquet|damaged/)
    }
  })

  test('every changed byte of the metadata opens or is refused, naming the file', async () => {
    const whole = bytes()
    const start = whole.length - 8 - new DataView(whole.buffer, whole.byteOffset).getUint32(whole.length - 8, true)
    const file = folder.write('schema.parquet', whole)
    await using handle = await open(file, 'r+')
    let refused = 0
    for (let at = start; at < whole.length; at++) {
      for (const change of [0xff, 0x01, 0x10]) {
        await handle.write(Uint8Array.of(whole[at]! ^ change), 0, 1, at)
        await openParquet(handle, file).catch((error) => {
          assert.ok(error instanceof SecateurError, `byte ${at}: ${String(error)}`)
          assert.match(error.message, /schema\.parquet: /)
          refused++
        })
      }
      await handle.write(whole, at, 1, at)
    }
    assert.ok(refused > 100, String(refused))
  })

  test('damaged bytes give rows or a clear error, and the reading ends in time', async () => {
    const messages: string[] = []
    // Page headers, levels, values and metadata. Byte 60 starts a run of a million levels and more.
    for (const at of [4, 18, 25, 32, 60, 67, 106, 235, 361, 500, 600, 700, 800, 900, 1000, 1100]) {
      const damaged = bytes()
      damaged[at]! ^= 0xff
      const file = folder.write('damaged.parquet', damaged)
      try {
        for await (const row of readParquet(file, { patience: 250 })) assert.equal(typeof row, 'object')
      } catch (error) {
        assert.ok(error instanceof SecateurError, `byte ${at}: ${String(error)}`)
        assert.match(error.message, /damaged\.parquet: /)
        messages.push(error.message)
      }
    }
    assert.ok(messages.length >= 8, String(messages.length))
    assert.ok(messages.some((message) => /row group 0: (takes too long|cannot be decoded)/.test(message)))
  })
})

test('errors about the file itself', async () => {
  await assert.rejects(rowsOf(join(folder.path, 'none.jsonl')), /none\.jsonl: there is no such file/)
  await assert.rejects(rowsOf(folder.path), /is a folder/)
  await refuses('table.csv', 'a,b\n', /\.csv files are not read/)
  await refuses('damaged.jsonl', gzipSync(lines).subarray(0, 30), /damaged gzip/)
})

test('an abort stops the reading', async () => {
  // Long rows: those of the piece that was read when the reading is stopped come all the same.
  const row = JSON.stringify({ text: 'word '.repeat(400) })
  const file = folder.write('abort.jsonl', `${row}\n`.repeat(2000))
  const controller = new AbortController()
  const reading = (async () => {
    for await (const _ of readRows(file, { signal: controller.signal })) controller.abort(new Error('enough'))
  })()
  await assert.rejects(reading, /enough/)
  assert.ok(statSync(file).size > 2 ** 20)
})

describe('real files', { skip: existsSync(sharedData) ? false : 'no ../shared/data' }, () => {
  const counts = {
    'instruct/alpaca_en_demo.json': 999,
    'text/c4_demo.jsonl': 300,
    'text/wiki_demo.txt': 30,
    'wikitext-2/wiki.test.raw': 4358,
    'ptb/ptb.test.txt': 3761,
    'parquet/arc_easy_test_200.parquet': 200,
    'parquet/hellaswag_validation_200.parquet': 200,
  }
  for (const [name, count] of Object.entries(counts)) {
    test(`${name} has ${count} rows`, async () => assert.equal((await rowsOf(join(sharedData, name))).length, count))
  }

  test('Alpaca, row by row, is what JSON.parse of the whole file gives', async () => {
    const file = join(sharedData, 'instruct/alpaca_en_demo.json')
    assert.deepEqual(await rowsOf(file), JSON.parse(readFileSync(file, 'utf8')))
  })

  test('Parquet rows are those of the JSON lines that they were made of', async () => {
    const rows = await rowsOf(join(sharedData, 'parquet/piqa_validation_200.parquet'))
    const originals = await rowsOf(join(sharedData, 'piqa/valid.jsonl'))
    for (const [index, { label, ...row }] of rows.entries()) {
      const { goal, sol1, sol2 } = originals[index]!
      assert.deepEqual(row, { goal, sol1, sol2 })
      assert.ok(label === 0 || label === 1)
    }
  })
})
