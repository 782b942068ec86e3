import assert from 'node:assert/strict'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { requireAllowed, requireAllowedWithin } from '../../../electron/services/allowed-paths.ts'
import { realPathOf } from '../../../electron/services/real-paths.ts'
import { PlacedFile } from '../../../engine/checkpoint/placed-file.ts'
import { allowAll, allowOnly } from '../../../engine/shared/allowed-folders.ts'
import { writeFileAtomically } from '../../../engine/shared/files.ts'
import { openFile, openFileHandle, openToWrite } from '../../../engine/shared/open-file.ts'
import { sample, TestApp, TestPlatform } from './services.ts'

const base = realpathSync(mkdtempSync(join(tmpdir(), 'secateur-allowed-')))
const home = join(base, 'home')
const outside = join(base, 'outside')
const text = readFileSync(join(sample, 'heldout.txt'), 'utf8').slice(0, 20_000)
let app: TestApp
before(async () => {
  for (const folder of [join(home, 'deep/inner'), join(home, 'outside'), join(outside, 'inner')])
    mkdirSync(folder, { recursive: true })
  for (const folder of [home, outside, join(home, 'outside')]) writeFileSync(join(folder, 'text.txt'), text)
  symlinkSync(outside, join(home, 'out'))
  // What goes up from here is in `outside`, though the text of the path stays in `home`.
  symlinkSync(join(outside, 'inner'), join(home, 'inner'))
  symlinkSync(join(home, 'deep/inner'), join(home, 'in'))
  symlinkSync(join(outside, 'new'), join(home, 'later'))
  symlinkSync(join(home, 'round-2'), join(home, 'round-1'))
  symlinkSync('round-1', join(home, 'round-2'))
  app = await TestApp.open(join(home, 'data'))
  app.platform.allowedFolders = [home, realpathSync(sample)]
})
after(async () => {
  await app.close()
  rmSync(base, { recursive: true })
})

test('the real path is the one that the system opens', async () => {
  assert.equal(await realPathOf(`${home}/deep/../text.txt`), join(home, 'text.txt'))
  assert.equal(await realPathOf(`${home}/in/new/file`), join(home, 'deep/inner/new/file'))
  assert.equal(await realPathOf(join(home, 'later')), join(outside, 'new'))
  assert.equal(await realPathOf(`${home}/later/file`), join(outside, 'new/file'))
  assert.equal(await realPathOf('/'), '/')
  await assert.rejects(realPathOf(`${home}/in/../text.txt`), /may mean .*deep\/text\.txt or .*home\/text\.txt/)
  await assert.rejects(realPathOf(join(home, 'round-1/file')), /round in a circle of links/)
  await assert.rejects(realPathOf(`${home}/a\0b`), /NUL byte/)
})

test('a path that goes up from a link is not judged by its text', async () => {
  const platform = new TestPlatform(home)
  platform.allowedFolders = [home]
  for (const path of [
    `${home}/inner/../text.txt`,
    `${home}/out/../outside/text.txt`,
    `${home}/later`,
    `${home}/later/a`,
  ])
    await assert.rejects(requireAllowed(platform, [path]), /outside|may mean/, path)
  await requireAllowedWithin(platform, [join(home, 'deep')])
  symlinkSync(join(outside, 'text.txt'), join(home, 'deep/inner/link'))
  await assert.rejects(requireAllowedWithin(platform, [join(home, 'deep')]), /inner\/link leads to .*outside\/text/)
  rmSync(join(home, 'deep/inner/link'))
})

const job = (changes: object = {}) => ({
  kind: 'prune',
  checkpoint: join(sample, 'model'),
  data: [join(home, 'text.txt')],
  steps: 2,
  batchSize: 1,
  sequenceLength: 16,
  rank: 2,
  threads: 1,
  device: 'onnx',
  ...changes,
})

test('no run reads or writes outside by such a path', async () => {
  const changes = [
    { data: [`${home}/inner/../text.txt`] },
    { out: `${home}/inner/../run` },
    { out: join(home, 'later') },
    { evaluation: { perplexity: {}, predictions: `${home}/inner/../rows` } },
    { evaluation: { perplexity: { held: `${home}/inner/../text.txt` } } },
  ]
  for (const change of changes)
    for (const method of ['runs.create', 'runs.estimate', 'runs.check'])
      assert.equal((await app.problem(method, { job: job(change) })).kind, 'refused', JSON.stringify(change))
  for (const [method, input] of [
    ['datasets.register', {}],
    ['library.import', {}],
    ['libraryFolders.add', { use: 'watched' }],
    ['libraryFolders.add', { use: 'kept' }],
    ['libraryFolders.drive', {}],
    ['runs.importFolder', {}],
    ['runs.importArchive', {}],
    ['folders.list', {}],
    ['folders.open', {}],
  ] as const)
    assert.equal((await app.problem(method, { ...input, path: `${home}/inner/../text.txt` })).kind, 'refused', method)
  assert.equal((await app.problem('settings.set', { runsFolder: `${home}/inner/..` })).kind, 'refused')
  const copy = { path: join(sample, 'model'), mode: 'copy', to: `${home}/inner/..` }
  assert.equal((await app.problem('library.import', copy)).kind, 'refused')
  assert.equal((await app.problem('library.move', { ids: [1], to: join(home, 'later') })).kind, 'refused')
})

test('a run that was imported reads no file that it may not, when it goes on', async () => {
  const folder = join(home, 'imported')
  mkdirSync(folder)
  const run = {
    version: 1,
    job: { ...job({ data: [join(outside, 'text.txt')] }), out: folder },
    started: new Date().toISOString(),
    software: { secateur: '0', node: '24', platform: 'linux' },
    hardware: { processor: 'any', cores: 1, memoryBytes: 1 },
  }
  writeFileSync(join(folder, 'run.json'), JSON.stringify(run))
  const { id, state } = await app.ask('runs.importFolder', { path: folder })
  assert.equal(state, 'interrupted')
  await app.ask('runs.resume', { id })
  const { reason } = await app.until(id, (row) => row.state === 'failed')
  assert.match(reason!, /outside\/text\.txt is outside the folders/)
  assert.equal(existsSync(join(folder, 'metrics.jsonl')), false)

  const linked = join(home, 'linked')
  cpSync(folder, linked, { recursive: true })
  symlinkSync(outside, join(linked, 'state'))
  assert.match((await app.problem('runs.importFolder', { path: linked })).message, /state leads to .*outside/)
})

test('a queued run is asked for its paths again when it starts', async () => {
  const data = join(home, 'swapped.txt')
  writeFileSync(data, text)
  const first = await app.ask('runs.create', { job: job({ steps: 100_000 }), name: 'first' })
  await app.until(first.id, (row) => row.state === 'running')
  const second = await app.ask('runs.create', { job: job({ data: [data] }), name: 'second' })
  rmSync(data)
  symlinkSync(join(outside, 'text.txt'), data)
  await app.ask('runs.cancel', { id: first.id })
  const { reason } = await app.until(second.id, (row) => row.state === 'failed')
  assert.match(reason!, /swapped\.txt leads to .*outside/)
})

test('a data set that became a link, and a checkpoint that got one, show nothing of what it leads to', async () => {
  const path = join(home, 'registered.txt')
  writeFileSync(path, text)
  const { id } = await app.ask('datasets.register', { path })
  const model = join(home, 'model')
  cpSync(join(sample, 'model'), model, { recursive: true })
  const { id: checkpoint } = await app.ask('library.import', { path: model })
  rmSync(path)
  symlinkSync(join(outside, 'text.txt'), path)
  for (const method of ['datasets.preview', 'datasets.lengths', 'datasets.seenImages'])
    assert.equal((await app.problem(method, { id, checkpoint })).kind, 'refused', method)
  for (const method of ['datasets.images', 'datasets.checkImages', 'datasets.thumbnails'])
    assert.equal((await app.problem(method, { id })).kind, 'refused', method)

  renameSync(join(model, 'config.json'), join(outside, 'config.json'))
  symlinkSync(join(outside, 'config.json'), join(model, 'config.json'))
  assert.equal((await app.problem('library.export', { id: checkpoint, to: join(home, 'copy') })).kind, 'refused')
  assert.equal((await app.problem('library.import', { path: model, mode: 'copy' })).kind, 'refused')
  assert.equal((await app.problem('runs.create', { job: job({ checkpoint: model }) })).kind, 'refused')
  assert.equal(existsSync(join(home, 'copy')), false)
})

// Between the check of a path and its opening lies time, in which a link may take the place of a folder.
test('a file is judged where it was opened, too', async () => {
  const swapped = join(home, 'swapped')
  symlinkSync(outside, swapped)
  allowOnly([home])
  try {
    for (const path of [join(swapped, 'text.txt'), join(home, 'outside/../../outside/text.txt')]) {
      assert.throws(() => closeSync(openFile(path)), {
        kind: 'bad-file',
        message: /leads to .*outside\/text\.txt, outside/,
      })
      await assert.rejects(openFileHandle(path), {
        kind: 'bad-file',
        message: /leads to .*outside\/text\.txt, outside/,
      })
      assert.throws(() => closeSync(openToWrite(path, 'a')), { kind: 'bad-file' })
    }
    assert.throws(() => writeFileAtomically(join(swapped, 'new.txt'), 'new'), /leads to .*, outside/)
    assert.throws(() => PlacedFile.create(join(swapped, 'text.txt')), /leads to .*, outside/)
    assert.ok(!existsSync(join(outside, 'new.txt')))
    assert.equal(readFileSync(join(outside, 'text.txt'), 'utf8'), text)
    closeSync(openFile(join(home, 'text.txt')))
    writeFileAtomically(join(home, 'in/new.txt'), 'new')
  } finally {
    allowAll()
    rmSync(swapped)
  }
})
