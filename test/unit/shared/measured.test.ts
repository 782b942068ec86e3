import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { z } from 'zod'
import { knownHash } from '../../../engine/checkpoint/known-hash.ts'
import { hashFolder } from '../../../engine/checkpoint/hash.ts'
import { cacheFolder } from '../../../engine/shared/cache-folder.ts'
import { readJson } from '../../../engine/shared/files.ts'
import { measuredOnce } from '../../../engine/shared/measured.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-measured-'))
after(() => rmSync(folder, { recursive: true }))
process.env['XDG_CACHE_HOME'] = folder
const take = (key: string, value: number) => measuredOnce('numbers.json', z.number(), key, async () => value)
const control = { signal: new AbortController().signal, progress: () => {} }

test('the newest ten thousand measurements of a sort are kept', async () => {
  const old = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`k${at}`, at]))
  mkdirSync(cacheFolder(), { recursive: true })
  writeFileSync(join(cacheFolder(), 'numbers.json'), JSON.stringify(old))
  assert.equal(await take('k7', -1), 7)
  assert.equal(await take('new', -1), -1)
  const kept = Object.keys(readJson(join(cacheFolder(), 'numbers.json'), z.record(z.string(), z.number())))
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [10_000, 'k1', 'new'])
})

test('a checkpoint is read once for its hash as long as its files do not change', async () => {
  const model = join(folder, 'model')
  mkdirSync(model)
  writeFileSync(join(model, 'config.json'), '{}')
  writeFileSync(join(model, 'model.safetensors'), 'weights')
  let reads = 0
  const hash = () => knownHash({ folder: model }, { ...control, progress: () => reads++ })
  const first = await hash()
  assert.equal(first, (await hashFolder({ folder: model }, control)).hash)
  assert.ok(reads > 0)
  reads = 0
  assert.equal(await hash(), first)
  assert.equal(reads, 0)
  writeFileSync(join(model, 'model.safetensors'), 'others!!')
  assert.notEqual(await hash(), first)
})
