import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type * as Builder from 'electron-builder'
import type * as Fuses from '@electron/fuses'

const root = join(import.meta.dirname, '../../..')
const require = createRequire(import.meta.url)
const { build, Platform, Arch } = require('electron-builder') as typeof Builder
const { FuseV1Options, getCurrentFuseWire } = require('@electron/fuses') as typeof Fuses
const { getConfig } = require('app-builder-lib/out/util/config/config.js') as {
  getConfig: (folder: string, file: string, overrides: null) => Promise<Builder.Configuration>
}

const folder = mkdtempSync(join(tmpdir(), 'secateur-fuses-'))
after(() => rmSync(folder, { recursive: true, force: true }))
/** By which the tool for fuses finds them in Electron's binary; version, count and states follow. */
const sentinel = 'dL7pKGdnNz796PbbjQWNKmHXBZaB9tsX'
const fuseCount = Object.keys(FuseV1Options).filter((key) => Number.isNaN(Number(key))).length

/** What has the layout of an unpacked Electron for Linux, with all fuses as Electron ships them. */
function standIn(): string {
  const dist = join(folder, 'electron')
  mkdirSync(join(dist, 'resources'), { recursive: true })
  const wire = [1, fuseCount, ...'10110001'.padEnd(fuseCount, '0').slice(0, fuseCount)].map((value) =>
    typeof value === 'number' ? value : value.charCodeAt(0),
  )
  writeFileSync(join(dist, 'electron'), Buffer.concat([Buffer.from(`ELF…${sentinel}`), Buffer.from([...wire, 0, 0])]), {
    mode: 0o755,
  })
  for (const name of ['chrome-sandbox', 'chrome_crashpad_handler']) writeFileSync(join(dist, name), '', { mode: 0o755 })
  return dist
}

test('a package has the fuses that the configuration names, read back from its binary', async () => {
  const app = join(folder, 'app')
  mkdirSync(app)
  const { name, version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
    string,
    string
  >
  writeFileSync(
    join(app, 'package.json'),
    JSON.stringify({ name, version, description, author: 'Secateur', main: 'main.js' }),
  )
  writeFileSync(join(app, 'main.js'), '// nothing')
  const config = await getConfig(root, join(root, 'electron-builder.yml'), null)
  await build({
    targets: Platform.LINUX.createTarget('dir', Arch.x64),
    projectDir: app,
    publish: 'never',
    config: {
      ...config,
      electronDist: standIn(),
      directories: { output: join(folder, 'dist') },
      // Only the binary is looked at.
      files: ['**/*'],
      asarUnpack: [],
      extraResources: [],
      linux: { ...config.linux, extraResources: [], icon: join(root, 'resources/icons') },
    },
  })
  const { version: wireVersion, ...states } = await getCurrentFuseWire(join(folder, 'dist/linux-unpacked', name!))
  assert.equal(wireVersion, '1')
  const named = Object.entries(config.electronFuses!)
  assert.ok(named.length >= 7)
  for (const [fuse, on] of named) {
    const option = FuseV1Options[`${fuse[0]!.toUpperCase()}${fuse.slice(1)}` as keyof typeof FuseV1Options]
    assert.equal(String.fromCharCode(states[option]!), on ? '1' : '0', fuse)
  }
})
