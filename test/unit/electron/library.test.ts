import assert from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { ggufBytes, type Key } from '../checkpoint/gguf/bytes.ts'
import { ggufParts } from '../models/gguf-file.ts'
import { sample, TestApp } from './services.ts'

let app: TestApp
before(async () => void (app = await TestApp.open()))
after(() => app.remove())

const copyOfSample = (name: string): string => {
  const folder = join(app.dataFolder, name)
  cpSync(join(sample, 'model'), folder, { recursive: true })
  return folder
}
/** Waits until an entry has its hash. */
async function hashed(id: number): Promise<string> {
  for (;;) {
    const { contentHash } = await app.ask('library.get', { id })
    if (contentHash !== null) return contentHash
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('a checkpoint is imported in place, with what its headers say, and its duplicate is found', async () => {
  const one = await app.ask('library.import', { path: copyOfSample('one') })
  assert.equal(one.storage, 'in-place')
  assert.equal(one.family, 'llama')
  assert.equal(one.kind, 'base')
  assert.equal(one.tokenizer, 'tokenizer.json')
  assert.equal(
    one.bytes,
    readdirSync(one.path).reduce((sum, name) => sum + readFileSync(join(one.path, name)).length, 0),
  )
  const detail = await app.ask('library.get', { id: one.id })
  assert.ok(detail.layers.length > 0 && detail.layers.every(({ heads, channels }) => heads > 0 && channels > 0))

  const two = await app.ask('library.import', { path: copyOfSample('two') })
  assert.equal(await hashed(two.id), await hashed(one.id))
  assert.deepEqual((await app.ask('library.get', { id: one.id })).duplicates, [two.id])
  assert.ok(app.told('task').some(({ kind, state }) => kind === 'hash' && state === 'done'))
  assert.equal((await app.ask('library.import', { path: one.path })).id, one.id, 'the same folder is the same entry')
})

test('a folder that is no checkpoint is refused with a reason, and copies nothing', async () => {
  for (const mode of ['in-place', 'copy'] as const) {
    const problem = await app.problem('library.import', { path: sample, mode })
    assert.equal(problem.kind, 'bad-file')
    assert.match(problem.message, /config\.json/)
  }
  assert.match(
    (await app.problem('library.import', { path: join(sample, 'nowhere') })).message,
    /nowhere.*does not exist/,
  )
  assert.equal(existsSync(join(app.dataFolder, 'checkpoints')), false)
})

test('a copy goes to the folder of the settings, through links as the hub lays them, with progress', async () => {
  const hub = join(app.dataFolder, 'hub/snapshots/abc')
  mkdirSync(hub, { recursive: true })
  for (const name of readdirSync(join(sample, 'model'))) symlinkSync(join(sample, 'model', name), join(hub, name))
  const copy = await app.ask('library.import', { path: hub, mode: 'copy' })
  assert.equal(copy.path, join(app.dataFolder, 'checkpoints/abc'))
  assert.equal(copy.storage, 'copied')
  assert.deepEqual(readdirSync(copy.path).sort(), readdirSync(hub).sort())
  const twin = await app.problem('library.import', { path: hub, mode: 'copy', twins: 'refuse' })
  assert.equal(twin.kind, 'bad-setting')
  assert.match(twin.message, /the same files already, as \S+ in .*: nothing was copied/)
  assert.deepEqual(readdirSync(join(app.dataFolder, 'checkpoints')), ['abc'])
  assert.ok(
    app.told('task').some(({ kind, state, done, total }) => kind === 'copy' && state === 'done' && done === total),
  )
})

test('what a run wrote, and what lies in the cache of the Hub, is not called after its folder', async () => {
  const name = async (path: string, changes = {}) =>
    (await app.ask('library.import', { path: copyOfSample(path), ...changes })).name
  assert.equal(await name('runs/half-of-it/output'), 'half-of-it')
  assert.equal(await name('runs/third-of-it/output', { mode: 'copy' }), 'third-of-it')
  assert.ok(existsSync(join(app.dataFolder, 'checkpoints/third-of-it/config.json')))
  assert.equal(await name('cached/models--org--small/snapshots/0123'), 'small')
})

test('a copy that is cancelled leaves nothing', async () => {
  const cancel = (async () => {
    for (;;) {
      const task = (await app.ask('tasks.list')).find(({ kind, state }) => kind === 'export' && state === 'running')
      if (task) return await app.ask('tasks.cancel', { id: task.id })
      await new Promise(setImmediate)
    }
  })()
  const { id } = (await app.ask('library.list'))[0]!
  const to = join(app.dataFolder, 'exported')
  assert.equal((await app.problem('library.export', { id, to })).kind, 'interrupted')
  await cancel
  assert.deepEqual(
    readdirSync(app.dataFolder).filter((name) => name.includes('exported')),
    [],
  )
})

test('files that vanish, change or move are noticed; a moved checkpoint is found again, another one is not', async () => {
  const { id, path } = await app.ask('library.import', { path: copyOfSample('restless') })
  await hashed(id)
  const elsewhere = join(app.dataFolder, 'elsewhere')
  renameSync(path, elsewhere)
  assert.deepEqual(
    (await app.ask('library.check')).map((entry) => [entry.id, entry.status]),
    [[id, 'missing']],
  )
  assert.deepEqual(await app.ask('library.check'), [])

  const other = copyOfSample('other')
  const config = join(other, 'config.json')
  writeFileSync(config, readFileSync(config, 'utf8').replace('"rms_norm_eps"', '"comment": 1, "rms_norm_eps"'))
  const problem = await app.problem('library.relocate', { id, path: other })
  assert.equal(problem.kind, 'conflict')
  assert.match(problem.message, /does not hold what/)

  const found = await app.ask('library.relocate', { id, path: elsewhere })
  assert.deepEqual([found.path, found.status], [elsewhere, 'present'])
  utimesSync(join(elsewhere, 'config.json'), 1, 1)
  assert.deepEqual(
    (await app.ask('library.check')).map(({ status }) => status),
    ['changed'],
  )
  assert.equal(
    (await app.ask('library.import', { path: elsewhere })).status,
    'present',
    'imported again, it is taken as it is',
  )
})

test('a checkpoint is moved with its entry, and what fits this computer is told of it', async () => {
  const { id, path, name } = await app.ask('library.import', { path: copyOfSample('mover') })
  const hash = await hashed(id)
  const to = join(app.dataFolder, 'other drive')
  await app.ask('library.move', { ids: [id], to })
  const moved = await app.ask('library.get', { id })
  assert.deepEqual([moved.path, moved.storage, moved.name], [join(to, 'mover'), 'copied', name])
  assert.equal(existsSync(path), false)
  assert.deepEqual(await app.ask('library.check'), [])
  // On one drive a folder gets another name; with copies of files it is the same entry, with the same content.
  assert.equal(moved.contentHash, hash)
  const tasks = app.told('task').filter(({ kind }) => kind === 'move')
  assert.deepEqual([tasks.at(-1)!.state, tasks.at(-1)!.title], ['done', `Moving ${name} to ${to}`])
  for (;;) {
    const { fits } = await app.ask('library.get', { id })
    if (fits) {
      assert.deepEqual(
        [fits.train, fits.prune, fits.run].map((one) => [one.fits, one.precision, one.reduced]),
        Array.from({ length: 3 }, () => [true, 'bfloat16', false]),
      )
      break
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})

test('what is removed comes back; what goes to the trash is told to the host; names, tags and notes stay', async () => {
  const { id, path } = await app.ask('library.import', { path: copyOfSample('doomed') })
  await app.ask('library.update', { id, name: 'a better name', tags: ['b', 'a'], notes: 'x', favourite: true })
  await app.ask('library.remove', { id, files: 'keep' })
  assert.ok(existsSync(path))
  assert.equal((await app.problem('library.get', { id })).kind, 'not-found')
  const back = await app.ask('library.restore', { id })
  assert.deepEqual(
    [back.name, back.tags, back.notes, back.favourite, back.status],
    ['a better name', ['a', 'b'], 'x', true, 'present'],
  )
  await app.ask('library.remove', { id, files: 'trash' })
  assert.deepEqual(app.platform.trashed, [path])
  assert.ok(!existsSync(path))
})

test('data sets are told by their content, can be corrected, previewed, measured, removed and found again', async () => {
  const { id: checkpoint } = (await app.ask('library.list'))[0]!
  const file = join(app.dataFolder, 'train.jsonl')
  cpSync(join(sample, 'train.jsonl'), file)
  const data = await app.ask('datasets.register', { path: file })
  assert.deepEqual([data.format, data.kind, data.status], ['jsonl', 'text', 'present'])
  assert.equal(data.rows, readFileSync(file, 'utf8').trim().split('\n').length)
  const { rows, total } = await app.ask('datasets.preview', { id: data.id, checkpoint, limit: 2 })
  assert.deepEqual([rows.length, total], [2, data.rows])
  assert.ok(rows[0]!.tokens.length > 3)
  const lengths = await app.ask('datasets.lengths', { id: data.id, checkpoint, sample: 50 })
  assert.equal(
    lengths.counts.reduce((sum, count) => sum + count),
    50,
  )

  const questions = await app.ask('datasets.register', { path: join(sample, 'tasks/piqa/valid.jsonl') })
  assert.deepEqual([questions.kind, questions.task], ['multiple-choice', 'piqa'])
  assert.equal((await app.ask('datasets.update', { id: questions.id, kind: 'text' })).kind, 'text')

  rmSync(file)
  await app.ask('datasets.remove', { id: data.id })
  assert.equal((await app.ask('datasets.restore', { id: data.id })).status, 'missing')
  const moved = await app.ask('datasets.relocate', { id: data.id, path: join(sample, 'train.jsonl') })
  assert.equal(moved.status, 'present')
  assert.match((await app.problem('datasets.register', { path: join(app.dataFolder, 'none') })).message, /none/)
})

test('NUL bytes and links in a circle are refused as such', async () => {
  const nul = `${app.dataFolder}/a\0b`
  for (const [method, input, field] of [
    ['library.import', { path: nul }, 'path'],
    ['datasets.register', { path: nul }, 'path'],
    ['runs.importArchive', { path: nul }, 'path'],
    ['settings.set', { runsFolder: nul }, 'runsFolder'],
    ['history.query', { search: 'a\0b' }, 'search'],
    ['folders.list', { filter: 'a\0b' }, 'filter'],
    ['runs.create', { job: { kind: 'prune', checkpoint: nul, data: ['a'] } }, 'checkpoint'],
  ] as const) {
    const { kind, message } = await app.problem(method, input)
    assert.deepEqual([kind, message], ['bad-setting', `${field}: holds a NUL byte`], method)
  }
  const round = join(app.dataFolder, 'round')
  symlinkSync('round', round)
  for (const method of ['library.import', 'datasets.register', 'runs.importArchive'])
    assert.match((await app.problem(method, { path: round })).message, /round goes round in a circle of links/, method)
})

test('requests are held to the contract', async () => {
  assert.equal((await app.problem('library.get', { id: 'one' })).kind, 'bad-setting')
  assert.equal((await app.problem('library.get', { id: 1, more: 2 })).kind, 'bad-setting')
  assert.equal((await app.problem('toString', undefined)).kind, 'refused')
  assert.equal((await app.problem('library.get', { id: 999 })).kind, 'not-found')
  assert.equal((await app.problem('settings.set', { theme: 'pink' })).field, 'theme')
  assert.equal((await app.ask('settings.set', { theme: 'dark' })).theme, 'dark')
  assert.equal((await app.ask('settings.get')).theme, 'dark')
})

test('a GGUF file is an entry of the library, all parts of a split one together', async () => {
  using checkpoint = openCheckpoint(fixtureModel('llama_gqa'))
  const { keys, tensors } = ggufParts(checkpoint)
  const folder = join(app.dataFolder, 'gguf')
  mkdirSync(folder)
  const parts = ['tiny-00001-of-00002.gguf', 'tiny-00002-of-00002.gguf']
  for (const [index, name] of parts.entries()) {
    const split: Key[] = [
      ['split.no', 'uint16', index],
      ['split.count', 'uint16', 2],
    ]
    const own = tensors.filter((_, at) => at % 2 === index)
    writeFileSync(join(folder, name), ggufBytes({ keys: [...(index === 0 ? keys : []), ...split], tensors: own }))
  }
  writeFileSync(join(folder, 'another.gguf'), '')

  const entry = await app.ask('library.import', { path: join(folder, parts[1]!) })
  assert.deepEqual([entry.name, entry.path, entry.family], ['tiny', join(folder, parts[0]!), 'llama'])
  const { files } = await app.ask('library.get', { id: entry.id })
  assert.deepEqual(
    files.map(({ name }) => name),
    parts,
  )
  assert.equal(
    entry.bytes,
    files.reduce((sum, { bytes }) => sum + bytes, 0),
  )
  assert.deepEqual(await app.ask('library.check'), [])

  const copy = await app.ask('library.import', { path: entry.path, mode: 'copy' })
  assert.equal(copy.path, join(app.dataFolder, 'checkpoints/tiny', parts[0]!))
  assert.deepEqual(readdirSync(join(copy.path, '..')).sort(), parts)
  assert.equal(await hashed(copy.id), await hashed(entry.id))
  rmSync(join(folder, parts[1]!))
  assert.deepEqual(
    (await app.ask('library.check')).map(({ id, status }) => [id, status]),
    [[entry.id, 'changed']],
  )
})
