import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Header, type HeaderData, Pack, ReadEntry } from 'tar'
import { type Manifest, packRun, unpackRun } from '../../../electron/services/run-archive.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-archive-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const control = { signal: new AbortController().signal, progress: () => {} }
const manifest: Manifest = {
  format: 'secateur-run',
  version: 1,
  name: 'première course',
  notes: 'a\nb',
  tags: ['x'],
  created: 1,
  started: 2,
  finished: null,
  log: [{ time: 3, level: 'info', message: 'hello' }],
}

function makeRun(name: string): string {
  const run = join(folder, name)
  mkdirSync(join(run, 'state'), { recursive: true })
  mkdirSync(join(run, 'output'))
  writeFileSync(join(run, 'run.json'), '{}')
  writeFileSync(join(run, 'lock.json'), '{}')
  writeFileSync(join(run, 'state/state.safetensors'), new Uint8Array(100_000).fill(7))
  writeFileSync(join(run, 'output/model.safetensors'), new Uint8Array(300_000).fill(9))
  writeFileSync(join(run, 'state/state.safetensors.1.partial'), 'half')
  symlinkSync('/etc/passwd', join(run, 'output/passwd'))
  return run
}

test('an archive comes back as the folder that went in, without lock, halves and links', async () => {
  const run = makeRun('one')
  const archive = join(folder, 'one.tar.gz')
  await packRun(run, manifest, archive, { includeOutput: true }, control)
  const to = join(folder, 'one-again')
  assert.deepEqual(await unpackRun(archive, to, control), manifest)
  assert.deepEqual(readdirSync(to, { recursive: true }).sort(), [
    'output',
    'output/model.safetensors',
    'run.json',
    'state',
    'state/state.safetensors',
  ])
  for (const name of ['state/state.safetensors', 'output/model.safetensors'])
    assert.ok(readFileSync(join(to, name)).equals(readFileSync(join(run, name))))

  await packRun(run, manifest, join(folder, 'bare.tar.gz'), { includeOutput: false }, control)
  await unpackRun(join(folder, 'bare.tar.gz'), join(folder, 'bare'), control)
  assert.deepEqual(readdirSync(join(folder, 'bare')).sort(), ['run.json', 'state'])
})

test('a cancelled archive leaves nothing behind, packed or unpacked', async () => {
  const run = makeRun('two')
  const archive = join(folder, 'two.tar.gz')
  await packRun(run, manifest, archive, { includeOutput: true }, control)
  const before = readdirSync(folder).sort()
  const signal = AbortSignal.abort()
  await assert.rejects(
    packRun(run, manifest, join(folder, 'no.tar.gz'), { includeOutput: true }, { ...control, signal }),
  )
  await assert.rejects(unpackRun(archive, join(folder, 'no'), { ...control, signal }))
  assert.deepEqual(readdirSync(folder).sort(), before)
})

type Entry = [data: HeaderData, content?: string]
async function archiveOf(entries: Entry[]): Promise<Buffer> {
  const pack = new Pack({ preservePaths: true })
  for (const [data, content = ''] of entries) {
    const entry = new ReadEntry(new Header({ mode: 0o644, size: Buffer.byteLength(content), type: 'File', ...data }))
    pack.add(entry)
    entry.end(Buffer.from(content))
  }
  pack.end()
  return gzipSync(await buffer(pack as unknown as AsyncIterable<Buffer>))
}

const good: Entry[] = [
  [{ path: 'secateur-run.json' }, JSON.stringify(manifest)],
  [{ path: 'run/run.json' }, '{}'],
]
const hostile: [string, Entry[], RegExp][] = [
  ['a path upwards', [...good, [{ path: 'run/../../evil' }, 'x']], /leads out of the archive/],
  ['an absolute path', [...good, [{ path: '/tmp/evil' }, 'x']], /leads out of the archive/],
  ['a path with backslashes', [...good, [{ path: 'run\\..\\evil' }, 'x']], /leads out of the archive/],
  ['a drive', [...good, [{ path: 'C:/evil' }, 'x']], /leads out of the archive/],
  ['a file beside the run', [...good, [{ path: 'evil' }, 'x']], /belongs to no run/],
  [
    'a symbolic link',
    [...good, [{ path: 'run/link', type: 'SymbolicLink', linkpath: '/etc/passwd' }]],
    /no plain file/,
  ],
  ['a hard link', [...good, [{ path: 'run/link', type: 'Link', linkpath: 'run/run.json' }]], /no plain file/],
  ['a device', [...good, [{ path: 'run/null', type: 'CharacterDevice' }]], /no plain file/],
  ['no manifest', good.slice(1), /has no secateur-run\.json/],
  ['no run', good.slice(0, 1), /holds no run folder/],
  ['a manifest that is wrong', [[{ path: 'secateur-run.json' }, '{"format":"other"}'], good[1]!], /format/],
  ['a manifest that is no JSON', [[{ path: 'secateur-run.json' }, '{'], good[1]!], /not valid JSON/],
]
for (const [what, entries, message] of hostile)
  test(`an archive with ${what} is refused whole`, async () => {
    const archive = join(folder, 'hostile.tar.gz')
    writeFileSync(archive, await archiveOf(entries))
    const before = readdirSync(folder).sort()
    await assert.rejects(unpackRun(archive, join(folder, 'hostile'), control), { message })
    assert.deepEqual(readdirSync(folder).sort(), before)
  })

test('wherever an archive is cut, it is called damaged and nothing is left behind', async (t) => {
  // The date is in the archive: the same bytes are damaged every time.
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2026, 0, 1) })
  const run = makeRun('many')
  for (let at = 0; at < 400; at++) {
    const noise = Array.from({ length: 60 }, (_, i) => Math.imul(i * 400 + at, 2654435761) >>> 8).join('')
    mkdirSync(join(run, `part-${at % 40}/deep`), { recursive: true })
    writeFileSync(join(run, `part-${at % 40}/deep/file-${at}`), noise)
  }
  const archive = join(folder, 'many.tar.gz')
  await packRun(run, manifest, archive, { includeOutput: true }, control)
  const whole = readFileSync(archive)
  const cut = join(folder, 'cut-anywhere.tar.gz')
  writeFileSync(cut, '')
  const before = readdirSync(folder).sort()
  for (let at = 1; at < 20; at++) {
    const bytes = Buffer.from(whole)
    // Cut, and damaged in the middle.
    const damaged = at % 2 === 0 ? bytes.subarray(0, Math.floor((bytes.length * at) / 20)) : bytes
    if (at % 2 === 1) damaged.fill(0xa5, Math.floor((bytes.length * at) / 20), Math.floor((bytes.length * at) / 20) + 8)
    writeFileSync(cut, damaged)
    await assert.rejects(unpackRun(cut, join(folder, 'cut'), control), /is damaged/)
    assert.deepEqual(readdirSync(folder).sort(), before)
  }
  rmSync(cut)
})

test('nothing of an archive can be executed, and no file of it stands for another user', async () => {
  const archive = join(folder, 'modes.tar.gz')
  const directory: Entry = [{ path: 'run/tools', type: 'Directory', mode: 0o7777 }]
  writeFileSync(archive, await archiveOf([...good, directory, [{ path: 'run/tools/sh', mode: 0o6777 }, '#!/bin/sh']]))
  const to = join(folder, 'modes')
  await unpackRun(archive, to, control)
  assert.equal(readFileSync(join(to, 'tools/sh'), 'utf8'), '#!/bin/sh')
  assert.equal(statSync(join(to, 'tools/sh')).mode & 0o7111, 0)
  assert.equal(statSync(join(to, 'tools')).mode & 0o7000, 0)
})

test('a damaged archive is refused, and one cut short', async () => {
  const whole = await archiveOf([...good, [{ path: 'run/big' }, 'x'.repeat(100_000)]])
  const before = readdirSync(folder).sort()
  const cut = join(folder, 'cut.tar.gz')
  for (const bytes of [whole.subarray(0, whole.length - 40), Buffer.from('no archive at all'), Buffer.alloc(0)]) {
    writeFileSync(cut, bytes)
    await assert.rejects(unpackRun(cut, join(folder, 'cut'), control), /damaged|has no secateur-run/)
  }
  rmSync(cut)
  assert.deepEqual(readdirSync(folder).sort(), before)
})
