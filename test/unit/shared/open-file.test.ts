import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { hashFolder } from '../../../engine/checkpoint/hash.ts'
import { SafetensorsFile } from '../../../engine/checkpoint/safetensors.ts'
import { headOf, readBytes } from '../../../engine/data/lines.ts'
import { readParquet } from '../../../engine/data/parquet.ts'
import { readRows } from '../../../engine/data/rows.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { readSmallFile } from '../../../engine/shared/files.ts'
import { openFile, openFileHandle, refuseSpecial } from '../../../engine/shared/open-file.ts'
import { readLines } from '../../../engine/shared/read-lines.ts'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-open-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const skip = process.platform === 'win32' && 'Windows has no such files'

const readers: Record<string, (path: string) => unknown> = {
  openFile,
  openFileHandle,
  readSmallFile: (path) => readSmallFile(path, 100),
  SafetensorsFile: (path) => new SafetensorsFile(path),
  readLines: (path) => [...readLines(path, 100)],
  headOf: (path) => headOf(path, 4),
  readBytes: async (path) => await Array.fromAsync(readBytes(path)),
  readRows: async (path) => await Array.fromAsync(readRows(path)),
  readParquet: async (path) => await Array.fromAsync(readParquet(path)),
  refuseSpecial,
}
const rejects = (name: string, path: string, message: RegExp) =>
  assert.rejects(
    async () => await readers[name]!(path),
    (error) => error instanceof SecateurError && error.file === path && message.test(error.message),
    `${name} of ${path}`,
  )

test('a named pipe, a device and a socket are refused at once, by name', { skip, timeout: 20_000 }, async () => {
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const socket = join(folder, 'socket')
  const server = createServer().listen(socket)
  await new Promise((listening) => server.once('listening', listening))
  try {
    for (const name of Object.keys(readers)) {
      await rejects(name, pipe, /is a named pipe, not a file/)
      await rejects(name, socket, /is a socket/)
      await rejects(name, '/dev/zero', /is a device, not a file/)
    }
  } finally {
    server.close()
  }
})

test('so are those that lie in a folder in place of its files', { skip, timeout: 20_000 }, async () => {
  for (const name of ['tokenizer.json', 'tokenizer.model', 'model.safetensors']) {
    const model = join(folder, `with-${name}`)
    mkdirSync(model)
    execFileSync('mkfifo', [join(model, name)])
    const control = { signal: new AbortController().signal, progress: () => {} }
    const read = name.startsWith('tokenizer') ? loadTokenizer(model) : hashFolder({ folder: model }, control)
    await assert.rejects(read, new RegExp(`${name}: is a named pipe`))
  }
})

test('a file is opened, and what is not there is said to be so', () => {
  const file = join(folder, 'file')
  writeFileSync(file, 'a\nb')
  assert.deepEqual(
    [...readLines(file, 9)],
    [
      { text: 'a', number: 1, isWhole: true },
      { text: 'b', number: 2, isWhole: false },
    ],
  )
  refuseSpecial(join(folder, 'none'))
  assert.throws(() => openFile(join(folder, 'none')), /does not exist/)
  assert.throws(() => openFile(folder), /is a folder, not a file/)
})
