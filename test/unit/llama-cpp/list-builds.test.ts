import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { addonOfBuild, cardBuilds, folderOfBuild } from '../../../engine/llama-cpp/card-builds.ts'
import { findLlamaCpp, nameOf } from '../../../engine/llama-cpp/installed.ts'
import { listBuilds } from '../../../engine/llama-cpp/list-builds.ts'
import { probe } from '../../../engine/llama-cpp/probe.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-list-builds-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const { signal } = new AbortController()
const processor = findLlamaCpp()
const skip = 'missing' in processor ? processor.missing : false

test('every build is listed with what it computes on, or why it is not used', { skip }, async () => {
  assert.ok(!('missing' in processor))
  process.env['SECATEUR_LLAMA_CPP_BUILDS'] = folder
  for (const build of cardBuilds()) {
    const library = join(folder, folderOfBuild(build), addonOfBuild(build))
    mkdirSync(dirname(library), { recursive: true })
    writeFileSync(library, 'no library')
  }
  const listed = await listBuilds({ signal })
  const last = listed.pop()!
  assert.deepEqual([last.build, last.installed, last.works], ['processor', true, true])
  assert.ok(last.detail.startsWith(`${nameOf(processor)}, computes on `), last.detail)
  assert.deepEqual(
    listed.map(({ build, installed, works }) => [build, installed, works]),
    cardBuilds().map(({ name }) => [name, true, false]),
  )
  for (const { detail } of listed) assert.match(detail, /^is not used: llama\.cpp: .+; it needs an? /)
})

test('a build whose library ends its process is told of, and a stop ends the wait', { skip }, async () => {
  const library = join(folder, 'ends.cjs')
  writeFileSync(library, "console.error('no such driver'); process.exit(7)")
  await assert.rejects(probe({ addon: library }, { signal }), {
    kind: 'unsupported',
    message: 'llama.cpp: llama.cpp ended with code 7 before it was done. It said last: no such driver',
  })
  const endless = join(folder, 'endless.cjs')
  writeFileSync(endless, 'for (;;);')
  const stop = AbortSignal.timeout(500)
  await assert.rejects(probe({ addon: endless }, { signal: stop }), { name: 'TimeoutError' })
})
