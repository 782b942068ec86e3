import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import util from 'node:util'
import { restoreRemovedFunctions, startTensorFlow } from '../../../engine/backends/tensorflow.ts'
import { tf } from '../../../engine/tensor/tf.ts'

const root = mkdtempSync(join(tmpdir(), 'secateur-tensorflow-'))
after(() => rmSync(root, { recursive: true }))
const union = createRequire(import.meta.url).resolve('@tensorflow/tfjs')

/** `require` of a folder that holds a package of that name, with the addon's file or without. */
function installed(name: string, source: string, addon = true) {
  const folder = join(root, name, 'node_modules/@tensorflow/tfjs-node-gpu')
  mkdirSync(join(folder, 'lib/napi-v8'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ version: '4.22.0', main: 'index.js' }))
  writeFileSync(join(folder, 'index.js'), source)
  if (addon) writeFileSync(join(folder, 'lib/napi-v8/tfjs_binding.node'), '')
  return createRequire(join(root, name, 'main.js'))
}

/** Registers tfjs's own back end on the processor under the other name, with every kernel, as the package does with its own. */
const standIn = (card: boolean, product = '') => `
  const tf = require(${JSON.stringify(union)})
  const { MathBackendCPU } = require(require.resolve('@tensorflow/tfjs-backend-cpu', { paths: [${JSON.stringify(union)}] }))
  if (!require('util').isNullOrUndefined(null)) throw new Error('util.isNullOrUndefined is gone')
  if (tf.findBackend('tensorflow')) tf.removeBackend('tensorflow')
  for (const kernel of tf.getKernelsForBackend('cpu'))
    if (!tf.getKernel(kernel.kernelName, 'tensorflow')) tf.registerKernel({ ...kernel, backendName: 'tensorflow' })
  tf.registerBackend('tensorflow', () => Object.assign(new MathBackendCPU(), { isUsingGpuDevice: ${card} }))
  ${product}`

test('a package that is not installed says how to get it', async () => {
  await assert.rejects(
    startTensorFlow(createRequire(join(root, 'nowhere', 'main.js'))),
    /not installed: run "npm install"/,
  )
})

test('a package without its library names the command that fetches it', async () => {
  await assert.rejects(startTensorFlow(installed('bare', '', false)), /run "npm run install-cuda"/)
})

test('what the package itself complains about is passed on', async () => {
  const load = installed('broken', 'throw new Error("libcudart.so.11.0: cannot open shared object file")')
  await assert.rejects(startTensorFlow(load), /tfjs-node-gpu does not load: libcudart\.so\.11\.0/)
})

test('a library that finds no card is refused', async () => {
  await assert.rejects(startTensorFlow(installed('without-card', standIn(false))), /no NVIDIA graphics card/)
})

test('with a card it becomes the current back end, frozen weights and all', async () => {
  const facts = await startTensorFlow(installed('with-card', standIn(true)))
  assert.match(facts.device, /NVIDIA/)
  assert.equal(tf.getBackend(), 'tensorflow')
  assert.ok(tf.getKernel('FrozenLinear', 'tensorflow'))
})

test('a library that computes wrongly is refused', async () => {
  const wrong = `
    const right = tf.getKernel('BatchMatMul', 'cpu').kernelFunc
    tf.unregisterKernel('BatchMatMul', 'tensorflow')
    tf.registerKernel({ kernelName: 'BatchMatMul', backendName: 'tensorflow',
      kernelFunc: (call) => { const y = right(call); call.backend.data.get(y.dataId).values.fill(0); return y } })`
  await assert.rejects(
    startTensorFlow(installed('wrong', standIn(true, wrong))),
    /small product came out as \[0,0,0,0\]/,
  )
})

test('functions that Node removed are put back', () => {
  restoreRemovedFunctions()
  const { isNullOrUndefined, isArray } = util as unknown as Record<string, (value: unknown) => boolean>
  assert.deepEqual([null, undefined, 0, ''].map(isNullOrUndefined!), [true, true, false, false])
  assert.ok(isArray!([]))
})
