import assert from 'node:assert/strict'
import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import { test } from 'node:test'
import { abridged, debug } from '../../../engine/shared/log.ts'

const engine = join(import.meta.dirname, '../../../engine')
const debugging = { ...process.env, SECATEUR_LOG: 'debug' }

test('the debug log is silent, and composes no message, where it is not asked for', () => {
  debug('graph', () => assert.fail('a message was composed'))
})

test('SECATEUR_LOG=debug tells of the back end, of each compiled graph and of how often graphs were reused', () => {
  const script = `
    import { chooseBackend } from ${JSON.stringify(join(engine, 'backends/choose.ts'))}
    import { tf } from ${JSON.stringify(join(engine, 'tensor/tf.ts'))}
    await chooseBackend({ device: 'onnx', threads: 1 })
    for (const value of [1, 2, 3]) tf.square(tf.scalar(value)).dataSync()
    tf.sqrt(tf.scalar(4)).dataSync()`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: debugging,
    encoding: 'utf8',
  })
  const lines = stderr.split('\n').filter((line) => line.startsWith('secateur '))
  const patterns = [
    /^secateur \d+\.\d{3} s backend: onnx computes on .+; threads: 1; asked for: onnx$/,
    /^secateur .+ graph: compiled [\da-f]{8}: 1 nodes in \d+ ms; 0 others are kept$/,
    /^secateur .+ graph: compiled [\da-f]{8}: 1 nodes in \d+ ms; 1 others are kept$/,
    /^secateur .+ graph: reused 2 times$/,
  ]
  assert.equal(lines.length, patterns.length, stderr)
  for (const [i, pattern] of patterns.entries()) assert.match(lines[i]!, pattern)
  assert.equal(stdout, '')
})

test('SECATEUR_LOG=debug tells of the messages of an engine process', async () => {
  const child = fork(join(engine, 'entries/run.ts'), {
    env: debugging,
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  const printed = text(child.stderr!)
  child.send({ type: 'stop' })
  await once(child, 'exit')
  const lines = await printed
  assert.match(lines, /^secateur .+ message: from the app: \{ type: 'stop' \}$/m)
  assert.match(lines, /^secateur .+ message: to the app: \{ type: 'error', kind: 'interrupted', .+\}$/m)
})

test('a message in the log stays on one line and is cut', () => {
  const line = abridged({ message: `two\nlines ${'x'.repeat(1000)}`, bytes: new Uint8Array(1e6) })
  assert.ok(!line.includes('\n') && line.length < 500, line)
})
