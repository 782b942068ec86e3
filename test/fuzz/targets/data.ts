import { globSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer'
import { taskNames } from '../../../engine/contract/index.ts'
import { loadTrainingData } from '../../../engine/data/load.ts'
import { readParquet } from '../../../engine/data/parquet.ts'
import { detectDataset } from '../../../engine/datasets/detect.ts'
import { readTask } from '../../../engine/evaluation/read-task.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { byteTokenizer, chatMl } from '../../unit/data/byte-tokenizer.ts'
import { root } from '../../unit/electron/services.ts'
import type { Target } from '../target.ts'

const lines = (...rows: object[]) => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
const messages = [
  { role: 'user', content: 'a' },
  { role: 'assistant', content: [{ type: 'text', text: 'b' }], weight: 1 },
]
const training: Record<string, Buffer> = {
  'a.jsonl': lines({ text: 'one two' }, { text: '' }, { text: 'drei \u2028 vier' }),
  'a.json': Buffer.from(
    JSON.stringify([{ instruction: 'a', input: '', output: 'b', system: 'c', history: [['d', 'e']] }], null, 1),
  ),
  'b.jsonl': lines(
    { messages },
    { messages: messages.toReversed() },
    {
      conversations: [
        { from: 'human', value: 'a' },
        { from: 'gpt', value: 'b' },
      ],
    },
  ),
  'c.jsonl': lines(
    { prompt: messages.slice(0, 1), completion: messages.slice(1) },
    { question: 'a', context: 'b', answer: 'c' },
  ),
  'a.txt': Buffer.from('\ufeffa line\r\nand another\n\n\nmore\n'),
  'a.jsonl.gz': gzipSync(lines({ text: 'packed' }, { text: 'twice' })),
}
const control = { signal: new AbortController().signal, progress: () => {} }

/** The one file in a folder. */
const fileIn = (folder: string): string => join(folder, readdirSync(folder)[0]!)

export const data: Target = {
  name: 'data',
  seeds: () => Object.entries(training).map(([name, bytes]) => ({ [name]: bytes })),
  async read(folder) {
    const file = fileIn(folder)
    const tokenizer = byteTokenizer(chatMl)
    await loadTrainingData([file], { tokenizer, maxLength: 64, badRows: 'skip' })
    await detectDataset({ path: file }, control)
    await loadTrainingData([file], { tokenizer, textUnit: 'paragraph' })
  },
}

const columns: ColumnSource[] = [
  { name: 'text', data: ['a', 'é😀', null, 'd'], type: 'STRING' },
  { name: 'number', data: [1n, 2n ** 60n, 3n, 4n], type: 'INT64' },
  { name: 'when', data: Array.from({ length: 4 }, () => new Date('2024-01-02T03:04:05Z')), type: 'TIMESTAMP' },
  { name: 'nested', data: [{ list: ['x'] }, { list: [] }, null, { list: ['y', 'z'] }], type: 'JSON' },
]
const parquetBytes = (codec: 'SNAPPY' | 'UNCOMPRESSED') =>
  Buffer.from(parquetWriteBuffer({ columnData: columns, rowGroupSize: 3, codec }))

export const parquet: Target = {
  name: 'parquet',
  seeds: () => [{ 'a.parquet': parquetBytes('SNAPPY') }, { 'a.parquet': parquetBytes('UNCOMPRESSED') }],
  async read(folder) {
    // What keeps the decoder busy is given up, which takes its time.
    for await (const row of readParquet(fileIn(folder), { patience: 1000 })) JSON.stringify(row)
  },
}

const taskFiles = globSync('resources/sample/tasks/**/*.{jsonl,lst}', { cwd: root })
const firstLines = (file: string) => readFileSync(join(root, file), 'utf8').split('\n').slice(0, 3).join('\n')

export const tasks: Target = {
  name: 'tasks',
  seeds: () =>
    taskFiles
      .filter((file) => file.endsWith('.jsonl'))
      .map((file) => {
        const labels = file.replace(/\.jsonl$/, '-labels.lst')
        return {
          [basename(file)]: Buffer.from(firstLines(file)),
          ...(taskFiles.includes(labels) && { [basename(labels)]: Buffer.from(firstLines(labels)) }),
        }
      }),
  async read(folder) {
    const file = join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.jsonl'))!,
    )
    for (const name of taskNames)
      try {
        await readTask(name, file)
      } catch (error) {
        // The rows are those of one task: the others refuse them.
        if (!(error instanceof SecateurError) || !error.message.includes(folder)) throw error
      }
  },
}
