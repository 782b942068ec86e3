import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { z } from 'zod'
import { driveOf, isHere, isMounted, mountOf, requireRoom } from '../../../electron/services/drives.ts'
import { parsedOnce } from '../../../electron/services/parsed-once.ts'
import { Passes } from '../../../electron/services/passes.ts'
import { Library } from '../../../electron/services/library.ts'
import { contextOn } from './context.ts'
import { sample } from './services.ts'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'secateur-folders-')))
const context = contextOn(join(root, 'data'))
const library = new Library(context)
const { handlers } = library.folders
after(() => {
  context.close()
  rmSync(root, { recursive: true, force: true })
})
const drive = join(root, 'drive')
const model = (name: string) => cpSync(join(sample, 'model'), join(drive, name), { recursive: true })
const folders = () => handlers['libraryFolders.get'](undefined)
const offers = async () => (await handlers['libraryFolders.offers'](undefined)).toSorted((a, b) => a.id - b.id)
const offered = async () => (await offers()).filter(({ dismissed }) => !dismissed).map(({ name }) => name)
const watchedModels = async () => (await folders()).watched.map((folder) => [folder.isHere, folder.models])

const searches = () => context.told.filter(({ name, payload }) => name === 'task' && payload.kind === 'scan').length

test('models in a watched folder are offered, and neither copied nor moved; what is dismissed stays so', async () => {
  model('one')
  model('two')
  await library.folders.add(drive, 'watched')
  await library.folders.look()
  assert.deepEqual(await offered(), ['one', 'two'])
  assert.deepEqual(context.checkpoints.all(), [])
  const [one, two] = await offers()
  await handlers['libraryFolders.dismiss']({ ids: [two!.id], dismissed: true })
  assert.deepEqual(await offered(), ['one'])
  const added = await library.handlers['library.import']({
    path: one!.path,
    mode: 'in-place',
    twins: 'copy',
    name: 'first',
  })
  assert.deepEqual([added.path, added.storage, added.name], [join(drive, 'one'), 'in-place', 'first'])
  assert.deepEqual(await offered(), [])
  // A later search finds both again.
  await handlers['libraryFolders.scan'](undefined)
  assert.deepEqual(await offered(), [])
  assert.equal((await offers()).length, 1)
  await handlers['libraryFolders.dismiss']({ ids: [two!.id], dismissed: false })
  assert.deepEqual(await offered(), ['two'])
})

test('what changes in a watched folder is looked for again, and nothing where nothing changed', async () => {
  model('three')
  await library.folders.look()
  assert.deepEqual(await offered(), ['two', 'three'])
  const before = searches()
  await library.folders.look()
  assert.equal(searches(), before)
  rmSync(join(drive, 'three'), { recursive: true })
  await library.folders.look()
  assert.deepEqual(await offered(), ['two'])
})

test('a drive that is not here is no fault, and its checkpoints come back with it', async () => {
  const { id } = context.checkpoints.all()[0]!
  const statuses = async () => (await library.check()).map((entry) => [entry.id, entry.status])
  await library.folders.look()
  renameSync(drive, join(root, 'elsewhere'))
  assert.equal(await library.folders.look(), true, 'it is noticed')
  assert.deepEqual(await statuses(), [[id, 'away']])
  assert.deepEqual(await watchedModels(), [[false, 2]])
  assert.deepEqual(await offered(), [], 'what cannot be had is not offered')
  await assert.rejects(library.moves.move([id], root), /not there now/)
  renameSync(join(root, 'elsewhere'), drive)
  assert.equal(await library.folders.look(), true)
  assert.deepEqual(await statuses(), [[id, 'present']])
  assert.deepEqual(await offered(), ['two'])
  // What is deleted from a drive that is here is missing.
  renameSync(join(drive, 'one'), join(root, 'deleted'))
  assert.deepEqual(await statuses(), [[id, 'missing']])
  // Where the folder in which its drive was mounted is an ordinary one, that drive is not here.
  context.checkpoints.update(id, { mount: drive })
  assert.deepEqual(await statuses(), [[id, 'away']])
  renameSync(join(root, 'deleted'), join(drive, 'one'))
  assert.deepEqual(await statuses(), [[id, 'present']], 'files that are there count, wherever they lie')
  assert.equal(context.checkpoints.get(id)!.mount, await mountOf(drive))
})

test('a checkpoint that is taken out of the library with its files kept is not offered at once', async () => {
  const [row] = context.checkpoints.all()
  await library.handlers['library.remove']({ id: row!.id, files: 'keep' })
  assert.deepEqual(await offered(), ['two'])
  await library.handlers['library.restore']({ id: row!.id })
})

test('folders are named once: one in another is watched with it, and removing one forgets it alone', async () => {
  await assert.rejects(library.folders.add(join(drive, 'one'), 'watched'), /is in .*drive, which is watched already/)
  await assert.rejects(library.folders.add(join(drive, 'one/config.json'), 'watched'), /is a file, not a folder/)
  symlinkSync(drive, join(root, 'link'))
  const added = await library.folders.add(join(root, 'link'), 'watched')
  assert.equal(added.path, realpathSync(drive))
  assert.equal((await folders()).watched.length, 1)
  const { id } = (await folders()).watched[0]!
  await handlers['libraryFolders.remove']({ id })
  assert.deepEqual(await offers(), [])
  assert.ok(existsSync(join(drive, 'two')))
})

test('a copy goes into the folder that is chosen, and the space of each drive is told', async () => {
  const place = join(root, 'place')
  await library.folders.add(place, 'kept')
  const copy = await library.handlers['library.import']({
    path: join(drive, 'two'),
    mode: 'copy',
    twins: 'copy',
    to: place,
    name: 'My copy',
  })
  assert.deepEqual([copy.path, copy.storage, copy.name], [join(place, 'My-copy'), 'copied', 'My copy'])
  const { kept, drives } = await folders()
  assert.deepEqual(
    kept.map((folder) => [folder.path, folder.isHere]),
    [
      [join(root, 'data/checkpoints'), true],
      [place, true],
    ],
  )
  const [first] = drives
  assert.equal(first!.checkpoints, 2)
  assert.ok(first!.freeBytes > 0 && first!.totalBytes > first!.freeBytes)
  await assert.rejects(
    requireRoom(place, [{ bytes: 1e18 }]),
    /are to be written, and .* are free on \/.*choose another/,
  )
})

test('drives are told by where they are mounted', { skip: process.platform !== 'linux' }, async () => {
  assert.equal(await mountOf('/proc/self/status'), '/proc')
  assert.equal(await isMounted('/proc'), true)
  assert.equal(await isMounted(drive), false)
  assert.equal(await isMounted('/'), true)
  assert.equal(await isHere(drive, drive), false, 'the folder is there, without the drive')
  const parent = await driveOf(root)
  assert.equal((await driveOf(join(root, 'not/made/yet')))?.mount, parent?.mount)
})

test('what is kept of a checkpoint is read once, however often lists ask for it', () => {
  let readings = 0
  const read = parsedOnce(z.object({ a: z.number().refine(() => ++readings > 0) }))
  assert.equal(read('{"a":1}'), read('{"a":1}'))
  assert.equal(readings, 1)
  assert.deepEqual(read('{"a":2}'), { a: 2 })
  assert.throws(() => read('{}'))
  for (let number = 3; number < 5000; number++) read(`{"a":${number}}`)
  read('{"a":1}')
  assert.equal(readings, 5000, 'what was not asked for in a long time is read again')
})

test('one pass that waits is enough for all who ask, and one that failed stops none after it', async () => {
  let begun = 0
  const passes = new Passes(async () => {
    if (++begun === 1) throw new Error('one bad entry')
  })
  const asked = [passes.ask(), passes.ask()]
  for (const pass of asked) await assert.rejects(pass, /one bad entry/)
  assert.equal(begun, 1)
  await passes.ask()
  assert.deepEqual([begun, passes.isWaiting], [2, false])
})
