import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { chooseBackend } from '../../../engine/backends/choose.ts'
import { listDevices } from '../../../engine/backends/devices.ts'
import { devicesSchema } from '../../../engine/contract/index.ts'

const cache = mkdtempSync(join(tmpdir(), 'secateur-cache-'))
after(() => rmSync(cache, { recursive: true }))
process.env['XDG_CACHE_HOME'] = cache
const speeds = join(cache, 'secateur/speeds.json')

test('every back end is listed, with what it computes on or why it is not used', async () => {
  const devices = devicesSchema.parse(await listDevices())
  assert.deepEqual(devices.backends.map(({ name }) => name).toSorted(), ['onnx', 'tensorflow', 'webgpu'])
  assert.ok(devices.backends.every(({ detail }) => detail.length > 10))
  assert.equal(devices.backends.find(({ name }) => name === devices.chosen)?.works, true)
})

const kept = () => JSON.parse(readFileSync(speeds, 'utf8')) as Record<string, { gigaflops: number; at: number }>
const keep = (gigaflops: unknown) => {
  const found = kept()
  const [key] = Object.keys(found)
  writeFileSync(speeds, JSON.stringify({ ...found, [key!]: gigaflops }))
}
const fastest = async () => Math.max(...(await listDevices()).backends.map(({ gigaflops }) => gigaflops ?? 0))

test('a speed is measured once for a device and its driver', async () => {
  const [first] = Object.values(kept())
  assert.ok(first!.gigaflops > 0)
  keep({ ...first, gigaflops: 123_456 })
  assert.equal(await fastest(), 123_456)
})

test('a speed is measured again after an hour, and the higher one counts', async () => {
  const anHourAgo = Date.now() - 3_600_001
  keep({ gigaflops: 1e-3, at: anHourAgo })
  assert.ok((await fastest()) > 1, 'another program had slowed the device down')
  assert.ok(Object.values(kept()).every(({ at }) => at > anHourAgo))
  keep({ gigaflops: 123_456, at: anHourAgo })
  assert.equal(await fastest(), 123_456)
  // As earlier versions kept it.
  keep(1e-3)
  assert.ok((await fastest()) > 1)
})

test('a damaged cache is measured again', async () => {
  writeFileSync(speeds, '{"x": "fast"')
  const { backends } = await listDevices()
  assert.ok(backends.some(({ gigaflops }) => gigaflops !== null && gigaflops !== 123456))
})

test('nothing is measured before the rest of the computer is quiet', async () => {
  rmSync(speeds)
  const quiet = new Promise((resolve) => void setTimeout(resolve, 300)).then(() => assert.ok(!existsSync(speeds)))
  await listDevices({ quiet })
  assert.ok(existsSync(speeds))
})

test('auto takes what works and says why the rest is not used', async () => {
  const { name, refused } = await chooseBackend({ threads: 2 })
  assert.notEqual(name, 'cpu')
  assert.deepEqual([name, ...refused.map((refusal) => refusal.name)].toSorted(), ['onnx', 'tensorflow', 'webgpu'])
})

test('a back end that is asked for and does not work is an error of the setting', async (context) => {
  const { refused } = await chooseBackend({ threads: 2 })
  const refusal = refused.find(({ name }) => name === 'tensorflow')
  if (!refusal) return context.skip('TensorFlow works here')
  await assert.rejects(chooseBackend({ device: 'tensorflow' }), { kind: 'unsupported', field: 'device' })
})
