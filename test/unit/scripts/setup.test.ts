import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const folder = mkdtempSync(join(tmpdir(), 'secateur-setup-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (...parts: string[]) => join(folder, ...parts)
mkdirSync(at('scripts'))
cpSync(join(import.meta.dirname, '../../../scripts/setup.mjs'), at('scripts/setup.mjs'))
writeFileSync(
  at('package.json'),
  JSON.stringify({ dependencies: { one: '1' }, devDependencies: { '@two/three': '1' } }),
)
const lock = (text: string) => writeFileSync(at('package-lock.json'), text)

/** What stands for npm: empties node_modules but for names with a dot, as some versions do, and installs what is there. */
const npm = `#!/bin/sh
echo npm >> calls
mkdir -p node_modules && rm -rf node_modules/*
[ -e kill ] && rm kill && kill -9 $$
for name in one @two/three; do mkdir -p node_modules/$name && echo '{}' > node_modules/$name/package.json; done
mkdir -p node_modules/.bin && echo '{}' > node_modules/.package-lock.json
`
mkdirSync(at('programs'))
writeFileSync(at('programs/npm'), npm, { mode: 0o755 })

/** Sets up in a process of its own; says how that ended, and how often npm was called. */
function setUp() {
  rmSync(at('calls'), { force: true })
  const program = `import { setUp } from '${at('scripts/setup.mjs')}'; setUp()`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${at('programs')}:${process.env['PATH']}` },
  })
  const calls = existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim().split('\n').length : 0
  return { status, stderr, calls }
}
const isInstalled = () => existsSync(at('node_modules/@two/three/package.json'))

test(
  'an npm that is killed is told of, and the next command installs again',
  { skip: process.platform === 'win32' },
  () => {
    lock('a')
    assert.deepEqual(setUp().calls, 1)
    assert.deepEqual(setUp(), { status: 0, stderr: '', calls: 0 })

    // Killed while it installs another lockfile, after which the earlier one is back.
    lock('b')
    writeFileSync(at('kill'), '')
    const killed = setUp()
    assert.equal(killed.status, 1)
    assert.match(killed.stderr, /ended by SIGKILL.*the next command installs again/)
    assert.equal(isInstalled(), false)
    lock('a')
    assert.match(setUp().stderr, /installing the packages/)
    assert.ok(isInstalled())

    // One that was started by hand.
    writeFileSync(at('kill'), '')
    spawnSync(at('programs/npm'), { cwd: folder })
    assert.equal(isInstalled(), false)
    const again = setUp()
    assert.match(again.stderr, /packages are missing.*installing them again/)
    assert.deepEqual([again.status, again.calls, isInstalled()], [0, 1, true])
    assert.equal(setUp().calls, 0)
  },
)
