import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { commitOf, findLlamaCpp, nameOf } from '../../../engine/llama-cpp/installed.ts'

const folder = mkdtempSync(join(tmpdir(), 'secateur-llama-cpp-installed-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const library = (name: string, ...texts: string[]) =>
  writeFileSync(join(folder, name), Buffer.from(['\x7fELF', ...texts, ''].join('\0'), 'latin1'))

test('llama.cpp is named with the commit that its library says, and without one where it says none', () => {
  const llama = { build: 'processor', addon: join(folder, 'llama-addon.node'), version: 'v0.5.0' } as const
  assert.equal(nameOf(llama), 'llama.cpp v0.5.0')
  library('libggml-base.dylib', 'a graph', '0.25.1', '', '0ad4a86', 'obj')
  assert.equal(nameOf(llama), 'llama.cpp v0.5.0, commit 0ad4a86')
  assert.equal(nameOf({ ...llama, build: 'vulkan' }), 'llama.cpp v0.5.0, Vulkan, commit 0ad4a86')
  library('libggml-base.so', '0.25.1', '0ad4a86-dirty', 'deadbeef')
  assert.equal(commitOf(folder), '0ad4a86')
  library('libggml-base.so', '0.25.1', '0ad4a86', '1.2.3', '1234567')
  assert.equal(commitOf(folder), null)
  library('libggml-base.so', '0.25.1', 'unknown')
  assert.equal(commitOf(folder), null)
})

const found = findLlamaCpp()
test('what is installed here says its commit', { skip: 'missing' in found ? found.missing : false }, () => {
  assert.ok(!('missing' in found))
  assert.match(nameOf(found), /^llama\.cpp v[\d.]+, commit [0-9a-f]{7,}$/)
})
