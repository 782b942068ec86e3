import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const engine = (path: string) => JSON.stringify(import.meta.resolve(`../../../engine/${path}`))
const ways = {
  'the back end': `
    const { chooseBackend } = await import(${engine('backends/choose.ts')})
    const { tf } = await import(${engine('tensor/tf.ts')})
    await chooseBackend({ device: 'onnx', threads: 1 })
    tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).dataSync()`,
  'the proof of an export': `
    const { OnnxDecoder } = await import(${engine('export/onnx/session.ts')})
    await OnnxDecoder.open('no such file').catch(() => {})`,
}

for (const [what, script] of Object.entries(ways))
  test(`ONNX Runtime keeps nothing about its user and asks to send nothing: ${what}`, () => {
    const home = mkdtempSync(join(tmpdir(), 'secateur-home-'))
    try {
      // It keeps quiet by itself where it believes that it is tested.
      const quiet = ['CI', 'GITHUB_ACTIONS', 'TF_BUILD', 'ORT_DISABLE_TELEMETRY', 'XDG_CACHE_HOME', 'NODE_TEST_CONTEXT']
      const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !quiet.includes(name)))
      const { status, stderr, pid } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
        env: { ...env, HOME: home },
        encoding: 'utf8',
      })
      assert.equal(status, 0, stderr)
      assert.deepEqual(readdirSync(home, { recursive: true }), [])
      assert.equal(existsSync(join(tmpdir(), `mat-debug-${pid}.log`)), false)
    } finally {
      rmSync(home, { recursive: true })
    }
  })
