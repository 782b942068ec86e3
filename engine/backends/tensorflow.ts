import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import util from 'node:util'
import { tf } from '../tensor/tf.ts'
import type { DeviceFacts } from './facts.ts'
import { registerFrozenComposites } from './frozen-composite.ts'

const packageName = '@tensorflow/tfjs-node-gpu'

/** Loads packages as `require` does; tests hand in their own. */
export type Loader = Pick<NodeJS.Require, 'resolve'> & ((id: string) => unknown)

/**
 * Loads TensorFlow's C library with CUDA and makes it known to TensorFlow.js as the back end `tensorflow`.
 *
 * @throws Error that says what is missing and how to get it.
 */
export async function startTensorFlow(load: Loader = createRequire(import.meta.url)): Promise<DeviceFacts> {
  const version = requireLibrary(load)
  if (!(await tf.setBackend('tensorflow'))) throw new Error('TensorFlow did not start')
  const backend: object = tf.backend()
  if (!('isUsingGpuDevice' in backend) || backend.isUsingGpuDevice !== true)
    throw new Error(
      'TensorFlow found no NVIDIA graphics card it can use: its version 2.9.1 needs a CUDA 11 driver and the libraries of CUDA 11.2 and cuDNN 8.1 on the library path',
    )
  registerFrozenComposites('tensorflow')
  checkProduct()
  return { device: 'NVIDIA graphics card, CUDA', driver: version, memoryBytes: null, threads: 1 }
}

function requireLibrary(load: Loader): string {
  let folder: string
  try {
    folder = dirname(load.resolve(`${packageName}/package.json`))
  } catch {
    throw new Error(
      `the optional package ${packageName} is not installed: run "npm install" where the network is allowed`,
    )
  }
  // 8 is the newest N-API that the package knows.
  const addon = ['napi-v8', 'napi-v10', 'napi-v9'].map((name) => join(folder, 'lib', name, 'tfjs_binding.node'))
  if (!addon.some(existsSync))
    throw new Error(
      'the CUDA library of tfjs-node-gpu was not downloaded when it was installed: with an NVIDIA card, run "npm run install-cuda" (about 500 MB)',
    )
  restoreRemovedFunctions()
  try {
    load(packageName)
  } catch (cause) {
    throw new Error(`${packageName} does not load: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  }
  return String((load(`${packageName}/package.json`) as { version: unknown }).version)
}

/** Functions that Node 23 removed from `util` and that tfjs-node 4.22.0 still calls. */
export function restoreRemovedFunctions(): void {
  const target = util as unknown as Record<string, unknown>
  target['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined
  target['isArray'] ??= Array.isArray
}

/** Checks a small product: a library built for another card starts and then computes nothing. */
function checkProduct(): void {
  const result = tf.tidy(() =>
    tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2])).dataSync(),
  )
  if ([19, 22, 43, 50].some((value, i) => result[i] !== value))
    throw new Error(`TensorFlow computes wrongly on this card: a small product came out as [${[...result]}]`)
}
