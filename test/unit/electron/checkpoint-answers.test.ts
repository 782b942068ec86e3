import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { totalmem, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { CheckpointRow } from '../../../electron/database/checkpoints.ts'
import { CheckpointFits } from '../../../electron/services/checkpoint-fits.ts'
import { CheckpointHashing } from '../../../electron/services/checkpoint-hashing.ts'
import { Library } from '../../../electron/services/library.ts'
import type { Context } from '../../../electron/services/context.ts'
import type { Fit, Fits } from '../../../engine/contract/index.ts'
import { contextOn } from './context.ts'
import { sample } from './services.ts'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'secateur-answers-')))
after(() => rmSync(root, { recursive: true, force: true }))
const one: Fit = {
  fits: true,
  precision: 'float32',
  reduced: false,
  memoryBytes: 1,
  placement: 'processor',
  detail: null,
}
const fits: Fits = { computerBytes: 2, train: one, prune: one, run: one }

/** A library with one checkpoint, whose engine answers a method with what it is told each time that it is asked. */
async function start(name: string, method: string, answers: (() => unknown)[]) {
  const context = contextOn(join(root, name))
  cpSync(join(sample, 'model'), join(root, name, 'model'), { recursive: true })
  const { id } = await new Library(context).add(join(root, name, 'model'), 'in-place')
  const works: Promise<unknown>[] = []
  const { settings } = context
  let threads: number | null = null
  const told = {
    ...context,
    settings: () => ({ ...settings(), threads }),
    engine: { request: async (asked: string) => (assert.equal(asked, method), answers.shift()!()) },
    inBackground: (work: Promise<unknown>) => void works.push(work),
  } as unknown as Context
  return {
    context: told,
    row: () => context.checkpoints.get(id) as CheckpointRow,
    /** The files are others than those that were asked about. */
    replace: () => {
      const inspection = JSON.stringify({ ...JSON.parse(context.checkpoints.get(id)!.inspection), warnings: ['new'] })
      context.checkpoints.update(id, { inspection, fits: null, content_hash: null })
    },
    setThreads: (count: number) => (threads = count),
    async settled() {
      for (let work = works.shift(); work; work = works.shift()) await work
    },
    close: () => context.close(),
  }
}

test('what fits is kept for the settings that it was asked with, and asked again where files changed meanwhile', async () => {
  let asked = 0
  const library = await start('fits', 'fits', [
    () => (asked++, library.setThreads(3), fits),
    () => (asked++, library.replace(), fits),
    () => (asked++, { ...fits, train: { ...one, detail: 'of the new files' } }),
  ])
  const looking = new CheckpointFits(library.context, () => {})
  looking.start()
  await library.settled()
  const kept = () => JSON.parse(library.row().fits!) as { for: string; fits: Fits }
  assert.equal(kept().for, JSON.stringify([library.context.settings().device, null, totalmem()]))
  looking.start()
  await library.settled()
  assert.equal(asked, 3)
  assert.deepEqual([JSON.parse(kept().for)[1], kept().fits.train.detail], [3, 'of the new files'])
  library.close()
})

test('the hash of files that were replaced while they were read is not kept', async () => {
  const library = await start('hash', 'hash', [
    () => (library.replace(), { hash: 'of the old files' }),
    () => ({ hash: 'of the new files' }),
  ])
  new CheckpointHashing(library.context, () => {}).start()
  await library.settled()
  assert.equal(library.row().content_hash, 'of the new files')
  library.close()
})
