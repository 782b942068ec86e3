import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { copyFiles } from '../../../engine/checkpoint/copy-files.ts'
import { planMoves } from '../../../electron/services/checkpoint-move-plan.ts'
import { Library } from '../../../electron/services/library.ts'
import { checkpointPathOf } from '../../../electron/services/run-summary.ts'
import { contextOn, control } from './context.ts'
import { sample } from './services.ts'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'secateur-moves-')))
after(() => rmSync(root, { recursive: true, force: true }))
const names = readdirSync(join(sample, 'model')).sort()
let number = 0

/** A library with one checkpoint in a folder of its own, on a drive of its own. */
async function start() {
  const folder = join(root, `app-${++number}`)
  const [here, there] = [join(folder, 'here'), join(folder, 'there')]
  for (const place of [here, there]) mkdirSync(place, { recursive: true })
  cpSync(join(sample, 'model'), join(here, 'model'), { recursive: true })
  const open = () => {
    const context = contextOn(join(folder, 'data'))
    return { context, library: new Library(context) }
  }
  const { context, library } = open()
  const { id } = await library.add(join(here, 'model'), 'in-place')
  return { here, there, id, open, context, library }
}

const contents = (folder: string) => readdirSync(folder).sort()

for (const renames of [false, true])
  for (const last of ['planned', ...(renames ? [] : ['growing', 'going']), 'copied', 'entered', 'removed'])
    test(`a move ${renames ? 'on one drive' : 'to another drive'} that is cut short once it is ${last} loses nothing`, async () => {
      const { here, there, id, open, context, library } = await start()
      const [plan] = await planMoves(context, [library.row(id)], there)
      const steps = library.moves.steps({ ...plan!, renames }, control)
      const stops = last === 'growing' ? 'planned' : last === 'going' ? 'entered' : last
      for (let step = await steps.next(); step.value !== stops; step = await steps.next()) assert.ok(!step.done)
      // What a copy has written when the program is killed in the middle of it, and a removal.
      if (last === 'growing') {
        mkdirSync(join(there, '.model.partial-move'))
        writeFileSync(join(there, '.model.partial-move', names[0]!), 'half')
      }
      if (last === 'going') {
        const going = join(here, '.model.secateur-moved')
        cpSync(join(here, 'model'), going, { recursive: true })
        rmSync(join(here, 'model'), { recursive: true })
        rmSync(join(going, names[0]!))
      }
      context.close()

      const again = open()
      await again.library.moves.recover()
      const row = again.library.row(id)
      const isThere = !['planned', 'growing'].includes(last)
      assert.equal(row.path, join(isThere ? there : here, 'model'))
      assert.deepEqual(contents(isThere ? there : here), ['model'])
      assert.deepEqual(contents(isThere ? here : there), [])
      for (const name of names)
        assert.deepEqual(readFileSync(join(row.path, name)), readFileSync(join(sample, 'model', name)), name)
      assert.deepEqual(await again.library.check(), [], 'it is as it was when it was inspected')
      assert.equal(again.context.db.prepare('SELECT count(*) FROM checkpoint_moves').pluck().get(), 0)
      again.context.close()
    })

test('a program that is killed at any instant of a move loses nothing', async () => {
  for (const milliseconds of [0, 40, 120]) {
    const { here, there, id, open, context } = await start()
    // Enough that it takes a while: a hole of no size on the disk.
    writeFileSync(join(here, 'model/large.bin'), '')
    truncateSync(join(here, 'model/large.bin'), 6e7)
    context.close()
    const child = fork(join(import.meta.dirname, 'move-checkpoint.ts'), [join(here, '../data'), String(id), there])
    await once(child, 'message')
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    child.kill('SIGKILL')
    await once(child, 'exit')

    const again = open()
    await again.library.moves.recover()
    const { path } = again.library.row(id)
    assert.deepEqual([...contents(here), ...contents(there)], ['model'], `after ${milliseconds} ms`)
    assert.deepEqual(contents(path), [...names, 'large.bin'].sort())
    assert.equal(statSync(join(path, 'large.bin')).size, 6e7)
    for (const name of names)
      assert.deepEqual(readFileSync(join(path, name)), readFileSync(join(sample, 'model', name)), name)
    again.context.close()
  }
})

test('a copy that does not read as it was written, or whose original changes, is given up; so is one that is cancelled', async () => {
  const { here, there, context } = await start()
  context.close()
  const from = join(here, 'model')
  const files = names.map((name) => ({ name, bytes: readFileSync(join(from, name)).length }))
  const ask = { from, to: join(there, 'copy'), temporary: join(there, '.copy.partial-move'), files }
  const total = 2 * files.reduce((sum, { bytes }) => sum + bytes, 0)
  const large = names.find((name) => name.endsWith('.safetensors'))!
  const damage = {
    ...control,
    progress: (done: number) => done === total / 2 && writeFileSync(join(ask.temporary, large), 'x'),
  }
  await assert.rejects(copyFiles(ask, damage), /does not read as it was written/)
  const change = { ...control, progress: (done: number) => done > 0 && writeFileSync(join(from, names[0]!), 'changed') }
  await assert.rejects(copyFiles(ask, change), /changed while it was copied/)
  const abort = new AbortController()
  await assert.rejects(
    copyFiles({ ...ask, files: files.slice(1) }, { signal: abort.signal, progress: () => abort.abort() }),
    { name: 'AbortError' },
  )
  assert.deepEqual(contents(there), [])
  await assert.rejects(copyFiles({ ...ask, to: from }, control), /already exists/)
})

test('many are moved at once; files that came meanwhile are left, and said', async () => {
  const { here, there, id, context, library } = await start()
  cpSync(join(sample, 'model'), join(here, 'second', 'model'), { recursive: true })
  const second = await library.add(join(here, 'second/model'), 'in-place')
  await library.moves.move([id, second.id], there)
  assert.deepEqual(contents(there), ['model', 'model-2'])
  assert.deepEqual(
    [library.row(id), library.row(second.id)].map(({ path, storage }) => [path, storage]),
    [join(there, 'model'), join(there, 'model-2')].map((path) => [path, 'copied']),
  )
  assert.ok(
    context.told.some(({ name, payload }) => name === 'task' && payload.kind === 'move' && payload.state === 'done'),
  )

  const [plan] = await planMoves(context, [library.row(id)], here)
  const steps = library.moves.steps({ ...plan!, renames: false }, control)
  for (let step = await steps.next(); !step.done; step = await steps.next())
    if (step.value === 'copied') writeFileSync(join(there, 'model', 'notes.txt'), 'mine')
  assert.ok(existsSync(join(there, 'model', 'notes.txt')))
  assert.ok(
    context.told.some(({ name, payload }) => name === 'notice' && /notes\.txt came or changed/.test(payload.message)),
  )
  context.close()
})

test('moves wait for each other, and take no name that a missing entry has', async () => {
  const { here, there, id, context, library } = await start()
  cpSync(join(sample, 'model'), join(here, 'second', 'model'), { recursive: true })
  const second = await library.add(join(here, 'second/model'), 'in-place')
  cpSync(join(sample, 'model'), join(there, 'model'), { recursive: true })
  const gone = await library.add(join(there, 'model'), 'in-place')
  rmSync(join(there, 'model'), { recursive: true })
  await Promise.all([library.moves.move([id], there), library.moves.move([second.id], there)])
  assert.deepEqual(
    [gone.id, id, second.id].map((one) => library.row(one).path),
    ['model', 'model-2', 'model-3'].map((name) => join(there, name)),
  )
  context.close()
})

test('what somebody else has put at the place of a move that was cut short is not taken for its copy', async () => {
  const { here, there, id, open, context, library } = await start()
  const [plan] = await planMoves(context, [library.row(id)], there)
  await library.moves.steps(plan!, control).next()
  mkdirSync(join(there, 'model'))
  writeFileSync(join(there, 'model', 'config.json'), 'of another')
  context.close()
  const again = open()
  await again.library.moves.recover()
  assert.equal(again.library.row(id).path, join(here, 'model'))
  assert.deepEqual(contents(join(there, 'model')), ['config.json'])
  again.context.close()
})

test('a move to a drive that was away is put right once the library is asked to look', async () => {
  const { there, id, open, context, library } = await start()
  await library.folders.add(there, 'kept')
  const [plan] = await planMoves(context, [library.row(id)], there)
  await library.moves.steps(plan!, control).next()
  context.close()
  const away = `${there}-unplugged`
  renameSync(there, away)
  const again = open()
  const works: Promise<unknown>[] = []
  const inBackground = (work: Promise<unknown>) => void works.push(work)
  const asked = new Library({ ...again.context, inBackground })
  const look = async () => {
    await asked.handlers['library.check'](undefined)
    for (let work = works.shift(); work; work = works.shift()) await work
    return again.context.db.prepare('SELECT count(*) FROM checkpoint_moves').pluck().get()
  }
  assert.equal(await look(), 1)
  assert.equal(await look(), 1, 'it waits for its drive')
  renameSync(away, there)
  assert.equal(await look(), 0)
  again.context.close()
})

test('a run that is tried again or cloned finds its checkpoint where that was moved', async () => {
  const { there, id, context, library } = await start()
  const run = { checkpoint_id: id }
  await library.moves.move([id], there)
  assert.equal(checkpointPathOf(context, run), join(there, 'model'))
  await library.handlers['library.remove']({ id, files: 'keep' })
  assert.equal(checkpointPathOf(context, run), null)
  context.close()
})

test('what may not be moved is refused before anything happens', async () => {
  const { here, there, id, context, library } = await start()
  const refused = (pattern: RegExp, to = there, ids = [id]) => assert.rejects(library.moves.move(ids, to), pattern)
  await refused(/is within .*which is to be moved/, join(here, 'model/inside'))
  await refused(/is in .* already/, here)
  const ofApp = await library.add(join(sample, 'model'), 'in-place')
  await refused(/comes with Secateur/, there, [ofApp.id])
  const hub = join(here, 'hub')
  mkdirSync(hub)
  for (const name of names) symlinkSync(join(here, 'model', name), join(hub, name))
  const linked = await library.add(hub, 'in-place')
  await refused(/made of links/, there, [linked.id])
  // A run that is paused goes on from the place that it knows.
  context.db.exec(
    `INSERT INTO runs (name, kind, state, folder, checkpoint_id, checkpoint_name, created, job)
     VALUES ('halfway', 'prune', 'paused', '/x', ${id}, 'model', 1, '{"kind":"prune"}')`,
  )
  await refused(/is needed by the run halfway/)
  context.db.exec("UPDATE runs SET state = 'done'")
  const steps = library.moves.steps((await planMoves(context, [library.row(id)], there))[0]!, control)
  await steps.next()
  await refused(/is being moved/)
  assert.throws(() => library.moves.requireStill([join(here, 'model/config.json')]), /model is being moved/)
  context.db.exec("UPDATE runs SET state = 'queued'")
  await assert.rejects(async () => {
    for (let step = await steps.next(); !step.done;) step = await steps.next()
  }, /is needed by the run halfway/)
  assert.equal(library.row(id).path, join(here, 'model'))
  assert.deepEqual(contents(here), ['hub', 'model'])
  assert.deepEqual(contents(there), [])
  context.close()
})
