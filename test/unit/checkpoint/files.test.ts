import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { createFolder } from '../../../electron/services/files.ts'
import {
  createFolderAtomically,
  readJson,
  replaceFile,
  writeFileAtomically,
  writeJson,
} from '../../../engine/shared/files.ts'
import { temporaryFolder } from './safetensors-bytes.ts'

test('a file is replaced whole, or stays as it was', (context) => {
  const folder = temporaryFolder(context)
  const path = join(folder, 'new', 'a.txt')
  writeFileAtomically(path, 'first')
  writeFileAtomically(path, 'second')
  assert.equal(readFileSync(path, 'utf8'), 'second')
  const failing = () =>
    replaceFile(path, (temporary) => {
      writeFileSync(temporary, 'half of the thi')
      throw new Error('power cut')
    })
  assert.throws(failing, /power cut/)
  assert.equal(readFileSync(path, 'utf8'), 'second')
  assert.deepEqual(readdirSync(join(folder, 'new')), ['a.txt'])
})

test('a folder appears whole, or not at all', async (context) => {
  const folder = temporaryFolder(context)
  const path = join(folder, 'deep', 'out')
  const result = await createFolderAtomically(path, async (temporary) => {
    mkdirSync(join(temporary, 'inner'))
    writeFileSync(join(temporary, 'inner', 'a'), '1')
    await Promise.resolve()
    assert.deepEqual(readdirSync(join(folder, 'deep')).includes('out'), false)
    return 7
  })
  assert.equal(result, 7)
  assert.equal(readFileSync(join(path, 'inner', 'a'), 'utf8'), '1')

  await assert.rejects(
    createFolderAtomically(path, () => assert.fail('must not run')),
    /out: already exists and is not empty; remove it or choose another folder/,
  )
  const failing = createFolderAtomically(join(folder, 'other'), (temporary) => {
    writeFileSync(join(temporary, 'a'), '1')
    throw new Error('power cut')
  })
  await assert.rejects(failing, /power cut/)
  assert.deepEqual(readdirSync(folder), ['deep'])
})

test('others may read a folder that was written beside its name as they may one that mkdir makes', async (context) => {
  const folder = temporaryFolder(context)
  const at = (name: string) => join(folder, name)
  const before = process.umask(0o027)
  try {
    mkdirSync(at('made'))
    await createFolderAtomically(at('written'), (temporary) => writeFileSync(join(temporary, 'a'), '1'))
    await createFolder(at('of the app'), async (temporary) => writeFileSync(join(temporary, 'a'), '1'))
  } finally {
    process.umask(before)
  }
  const modes = ['made', 'written', 'of the app'].map((name) => statSync(at(name)).mode & 0o7777)
  assert.deepEqual(modes, [modes[0], modes[0], modes[0]])
  if (process.platform !== 'win32') assert.equal(modes[0]! & 0o777, 0o750)
})

test('an empty folder may be filled, a file may not be replaced by a folder', async (context) => {
  const folder = temporaryFolder(context)
  mkdirSync(join(folder, 'empty'))
  await createFolderAtomically(join(folder, 'empty'), (temporary) => writeFileSync(join(temporary, 'a'), '1'))
  assert.deepEqual(readdirSync(join(folder, 'empty')), ['a'])
  writeFileSync(join(folder, 'file'), '')
  await assert.rejects(
    createFolderAtomically(join(folder, 'file'), () => undefined),
    /file: is a file/,
  )
})

test('a folder that another run filled meanwhile is left alone', async (context) => {
  const folder = temporaryFolder(context)
  const path = join(folder, 'out')
  const slow = createFolderAtomically(path, async (temporary) => {
    writeFileSync(join(temporary, 'mine'), '1')
    await createFolderAtomically(path, (other) => writeFileSync(join(other, 'theirs'), '2'))
  })
  await assert.rejects(slow, /already exists/)
  assert.deepEqual(readdirSync(path), ['theirs'])
  assert.deepEqual(readdirSync(folder), ['out'])
})

test('JSON is read with a limit and errors that name the file and the field', (context) => {
  const folder = temporaryFolder(context)
  const path = join(folder, 'a.json')
  const schema = z.object({ list: z.array(z.object({ size: z.number() })) })
  writeJson(path, { list: [{ size: 1 }] })
  assert.deepEqual(readJson(path, schema), { list: [{ size: 1 }] })
  writeJson(path, { list: [{ size: 1 }, { size: 'big' }] })
  assert.throws(() => readJson(path, schema), /a\.json: list\.1\.size: must be a number, and is/)
  writeFileSync(path, '{')
  assert.throws(() => readJson(path, schema), /a\.json: is not valid JSON/)
  truncateSync(path, 2 ** 25)
  assert.throws(() => readJson(path, schema), /a\.json: has 33554432 bytes; a file of this kind has 16777216 at most/)
  assert.throws(() => readJson(join(folder, 'b.json'), schema), /b\.json: does not exist/)
  assert.throws(() => readJson(folder, schema), /is not a file|is a folder/)
})
