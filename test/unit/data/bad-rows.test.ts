import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { type PlacedRow, readPlacedRows } from '../../../engine/data/rows.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { temporaryFolder } from './temporary.ts'

const folder = temporaryFolder()

/** Rows that are read of a file with bad ones, by place, and what was told of the others. */
async function read(name: string, content: string | Uint8Array, rowLimit?: number) {
  const file = folder.write(name, content)
  const rows: Record<string, PlacedRow['row']> = {}
  const told: string[] = []
  let left = 0
  const onBadRow = (error: SecateurError, count: number) => {
    told.push(error.message.replace(`${file}: `, ''))
    left += count
  }
  const fractions: number[] = []
  const options = {
    onBadRow,
    onRead: (fraction: number) => void fractions.push(fraction),
    ...(rowLimit && { rowLimit }),
  }
  for await (const { row, place } of readPlacedRows(file, options)) rows[place] = row
  return { rows, told, left, fractions }
}

const good = { a: 1 }

test('lines that cannot be read are left out, and their numbers count', async () => {
  const content = Buffer.concat([
    Buffer.from('{"a": 1}\n\n{"a": \n[1]\n'),
    Buffer.from('{"a": "\xe9"}\n', 'latin1'),
    Buffer.from(`{"b": "${'x'.repeat(3 * 2 ** 20)}"}\n{"a": 1}\n`),
  ])
  const { rows, told, left, fractions } = await read('bad.jsonl', content, 100)
  assert.deepEqual(rows, { 'line 1': good, 'line 7': good })
  assert.equal(left, 4)
  assert.match(told[0]!, /^line 3, column 7: is not valid JSON: ends too early/)
  assert.match(told[1]!, /^line 4: each row must be a JSON object with named fields, not a list/)
  assert.match(told[2]!, /^line 5: is not UTF-8 text/)
  assert.match(told[3]!, /^line 6: is longer than 100 bytes/)
  assert.equal(fractions.at(-1), 1)
  const text = await read('bad.txt', Buffer.from('one\n\xe9\nthree', 'latin1'))
  assert.deepEqual(text.rows, { 'line 1': { text: 'one' }, 'line 3': { text: 'three' } })
})

const documents: [what: string, content: string, places: number[], told: RegExp[]][] = [
  ['broken JSON', '[\n{"a": 1},\n{"a": 1,},\n{"a": 1}\n]', [2, 4], [/^line 3, column 9: is not valid JSON: "}"/]],
  [
    'rows that are no objects',
    '[null, {"a": 1}, "x, {", 12,\n [{"b": 1}],\n{"a": 1}]',
    [1, 3],
    [/column 2: "n" found/, /column 18: """ found/, /column 26: "1" found/, /^line 2, column 2: "\[" found/],
  ],
  ['a missing quotation mark', '[\n {"a": 1},\n {"a": "x},\n {"a": 1}\n]', [2, 4], [/^line 3, column 12: a line ends/]],
  [
    'a missing brace in an indented document',
    '[\n  {\n    "a": 1\n  },\n  {\n    "b": [{\n      "c": 1\n    ]\n  },\n  {\n    "a": 1\n  }\n]',
    [2, 10],
    [/^line 8, column 5: "\]" closes what is not open/],
  ],
  ['the last row', '[\n{"a": 1},\n{"a": [1}\n]', [2], [/^line 3, column 9: "}" closes/]],
  ['objects one after the other', '{"a": 1}\nnonsense\n{"a": 1}\n', [1, 3], [/^line 2, column 1: "n" found/]],
  ['missing commas', '[{"a": 1}\n{"a": 1}]', [1, 2], []],
  ['a row that is too long', `[{"b": "${'x'.repeat(2 ** 20)}"},\n{"a": 1}]`, [2], [/column 2: .*over 300000 bytes/]],
  ['a row nested deeply', `[{"b": ${'['.repeat(20_000)}},\n{"a": 1}]`, [2], [/is nested too deeply/]],
]
for (const [what, content, places, expected] of documents)
  test(`a JSON document: ${what}`, async () => {
    const { rows, told } = await read('bad.json', content, 300_000)
    assert.deepEqual(rows, Object.fromEntries(places.map((line) => [`line ${line}`, good])))
    assert.equal(told.length, expected.length, told.join('\n'))
    for (const [index, pattern] of expected.entries()) assert.match(told[index]!, pattern)
  })

test('what leaves the rest of a document unread is refused all the same', async () => {
  await assert.rejects(read('cut.json', '[{"a": 1},\n{"a": [1'), /line 2, column 1: the file ends within this row/)
  await assert.rejects(
    read('lost.json', '[{"a": 1}, {"a": [1}, {"a": 1}, {"a": 1}]'),
    /line 1, column 12: it cannot be told where the row after this one starts/,
  )
  await assert.rejects(read('text.json', 'nonsense'), /line 1, column 1: "n" found/)
})

test('a row group of a Parquet file that cannot be decoded is left out, with all its rows', async () => {
  const columnData = [{ name: 'a', data: Array.from({ length: 9 }, (_, index) => index), type: 'INT32' as const }]
  const whole = () => new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 3, codec: 'UNCOMPRESSED' }))
  const places = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`row ${index + 1}`, { a: index }]))
  assert.deepEqual((await read('whole.parquet', whole())).rows, places)
  const damaged = whole()
  // The header of the first page.
  damaged.fill(0xff, 4, 12)
  const { rows, told, left, fractions } = await read('damaged.parquet', damaged)
  assert.deepEqual(Object.keys(rows), Object.keys(places).slice(3))
  assert.deepEqual([left, told.length, fractions], [3, 1, [1 / 3, 2 / 3, 1]])
  assert.match(told[0]!, /^row group 0: .*is the file damaged/)
})
