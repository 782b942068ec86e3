import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { folderListingSchema } from '../../../electron/contract/index.ts'
import { foldersToAllow, headlessPlatform } from '../../../electron/host/headless-platform.ts'
import { isWithin } from '../../../engine/shared/allowed-folders.ts'
import { pathsOfRequest, requireAllowed } from '../../../electron/services/allowed-paths.ts'
import { folderHandlers } from '../../../electron/services/folders.ts'

const base = realpathSync(mkdtempSync(join(tmpdir(), 'secateur-folders-')))
after(() => rmSync(base, { recursive: true }))
const home = join(base, 'home')
const outside = join(base, 'outside')
const file = (path: string, text = '{}') => {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, text)
}
file(join(home, 'models/llama/config.json'))
file(join(home, 'models/llama/model.safetensors'))
file(join(home, 'models/half/config.json'))
file(join(home, 'runs/first/run.json'))
file(join(home, 'text.txt'), 'hello')
file(join(home, '.ssh/id'))
file(join(outside, 'secret.txt'))
symlinkSync(outside, join(home, 'way-out'))
symlinkSync(join(home, 'models'), join(home, 'way-in'))
symlinkSync(join(home, 'nowhere'), join(home, 'broken'))

const platform = headlessPlatform({ found: [home], awaited: [] }, () => {})
const list = async (path?: string, showFiles = true, filter = '') =>
  folderListingSchema.parse(
    await folderHandlers({
      options: {
        platform,
        dataFolder: home,
        engine: { node: '', run: '', service: '', env: {} },
        samples: { text: '', images: '', mayMove: false },
      },
    })['folders.list']({ path, showFiles, filter }),
  )

const namesListed = async (path: string | undefined, filter: string) =>
  (await list(path, true, filter)).entries.map(({ name }) => name)

test('a folder that is not there at the start is said to be missing, and may be read once it is there', async () => {
  const drive = join(base, 'drive')
  const models = join(drive, 'models')
  symlinkSync(models, join(base, 'named'))
  const folders = await foldersToAllow(home, { text: home, images: home, mayMove: false }, [
    models,
    join(base, 'named'),
  ])
  assert.deepEqual(
    folders.awaited.filter((folder) => isWithin(folder, [base])),
    [models],
  )
  const host = headlessPlatform(folders, () => {})
  const allows = () => requireAllowed(host, [join(models, 'llama')])
  const isAbsent = { message: `${models} is not here now: connect its drive, then try again.` }
  await assert.rejects(allows(), isAbsent)
  await assert.rejects(requireAllowed(host, [drive]), /is outside the folders/)
  // A link in its place leads elsewhere, where nobody was let.
  symlinkSync(outside, drive)
  file(join(outside, 'models/llama/config.json'))
  await assert.rejects(allows(), /outside\/models\/llama, which is outside the folders/)
  assert.deepEqual(host.absentFolders, folders.awaited)
  rmSync(drive)
  file(join(models, 'llama/config.json'))
  await allows()
  assert.ok(host.allowedFolders!.includes(models))
  rmSync(drive, { recursive: true })
  await assert.rejects(allows(), isAbsent)
})

test('without a path the allowed folders are listed', async () => {
  const { path, parent, entries } = await list()
  assert.deepEqual([path, parent], ['', null])
  assert.deepEqual(
    entries.map(({ path: entry, kind }) => [entry, kind]),
    [[home, 'folder']],
  )
})

test('a folder lists folders first, without hidden files, broken links and links that lead out', async () => {
  const { entries, parent, truncated } = await list(home)
  assert.equal(parent, null)
  assert.equal(truncated, false)
  assert.deepEqual(
    entries.map(({ name }) => name),
    ['models', 'runs', 'way-in', 'text.txt'],
  )
  assert.equal(entries[2]!.path, join(home, 'models'))
  assert.equal(entries[3]!.bytes, 5)
  assert.ok((await list(home, false)).entries.every(({ kind }) => kind === 'folder'))
})

test('checkpoints and run folders are told from other folders', async () => {
  const models = await list(join(home, 'models'))
  assert.equal(models.parent, home)
  assert.deepEqual(
    models.entries.map(({ name, isCheckpoint }) => [name, isCheckpoint]),
    [
      ['half', false],
      ['llama', true],
    ],
  )
  assert.equal((await list(join(home, 'runs'))).entries[0]!.isRun, true)
})

test('what is outside is refused by its real path', async () => {
  for (const path of [outside, join(home, '../outside'), join(home, 'way-out'), '/', `${home}-sibling`])
    await assert.rejects(list(path), /outside the folders that Secateur may use here\. Start it with --allow/, path)
  await assert.rejects(list(join(home, 'text.txt')), /is a file/)
  await requireAllowed(platform, [join(home, 'new/folder')])
  await assert.rejects(requireAllowed(platform, [join(home, 'way-out/new')]), /outside/)
})

test('of very many entries the first by name are listed, and a filter finds those beyond', async () => {
  const many = join(home, 'many')
  const names = Array.from({ length: 2500 }, (_, i) => `file-${i}`)
  // Not in order, since a disk has none either.
  for (const name of names.toReversed()) file(join(many, name), '')
  mkdirSync(join(many, 'zoo'))
  const { entries, truncated, unread } = await list(many)
  assert.deepEqual([truncated, unread], [true, false])
  assert.deepEqual(
    entries.map(({ name }) => name),
    ['zoo', ...names.slice(0, 499)],
  )
  const found = await list(many, true, 'FILE-240')
  assert.equal(found.truncated, false)
  assert.deepEqual(
    found.entries.map(({ name }) => name),
    ['file-240', ...Array.from({ length: 10 }, (_, i) => `file-240${i}`)],
  )
  assert.deepEqual((await list(many, true, 'nowhere')).entries, [])
  // Files that are not shown take no room from the folders.
  const folders = await list(many, false)
  assert.deepEqual([folders.entries.length, folders.truncated], [1, false])
})

test('a filter holds for links and for the allowed folders too, however accents are composed', async () => {
  assert.deepEqual(await namesListed(home, 'WAY'), ['way-in'])
  assert.deepEqual(await namesListed(undefined, 'home'), [home])
  assert.deepEqual(await namesListed(undefined, 'elsewhere'), [])
  mkdirSync(join(home, 'accents', 'mode\u0300le'), { recursive: true })
  assert.deepEqual(await namesListed(join(home, 'accents'), 'mod\u00e8'), ['mode\u0300le'])
})

test('requests are asked for the paths that they carry', () => {
  assert.deepEqual(pathsOfRequest('library.import', { path: '/a', mode: 'in-place' } as never), ['/a'])
  assert.deepEqual(pathsOfRequest('settings.set', { theme: 'dark' }), [])
  assert.deepEqual(pathsOfRequest('settings.set', { runsFolder: '/runs' }), ['/runs'])
  assert.deepEqual(pathsOfRequest('app.info', undefined), [])
})
