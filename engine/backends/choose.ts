import { availableParallelism } from 'node:os'
import { badSetting, SecateurError } from '../errors.ts'
import { tf } from '../tf.ts'
import { registerFrozenComposites } from './frozen-composite.ts'
import { registerOnnxBackend } from './onnx/index.ts'

export type Device = 'onnx' | 'cpu'

export interface Choice {
  name: Device
  threads: number
  /** Back ends that were tried first, with the reason why each cannot be used here. */
  refused: { name: string; reason: string }[]
}

/**
 * Makes the best back end that works here the current one.
 *
 * @param options.device one back end by name, or `auto` for the best. `cpu` is the reference: exact, single-threaded, slow.
 * @param options.threads threads of one operator; every core that this process may use by default.
 * @throws SecateurError where the setting is wrong or the back end asked for does not work.
 */
export async function chooseBackend(options: { device?: 'auto' | Device; threads?: number } = {}): Promise<Choice> {
  const threads = options.threads ?? availableParallelism()
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024)
    throw badSetting('threads', `${threads} is not a number of threads: give a whole number from 1 to 1024`)
  const device = options.device ?? 'auto'
  // Otherwise the reference back end advertises another package on standard error.
  tf.enableProdMode()
  const refused: Choice['refused'] = []
  for (const name of device === 'auto' ? (['onnx', 'cpu'] as const) : [device]) {
    try {
      await use(name, threads)
      return { name, threads: name === 'cpu' ? 1 : threads, refused }
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      if (device !== 'auto') throw new SecateurError('unsupported', reason, { field: 'device', cause })
      refused.push({ name, reason })
    }
  }
  throw new SecateurError('unsupported', refused.map(({ name, reason }) => `${name}: ${reason}`).join('; '))
}

async function use(name: Device, threads: number): Promise<void> {
  if (name === 'onnx') registerOnnxBackend({ threads })
  else registerFrozenComposites(name)
  if (!(await tf.setBackend(name))) throw new Error(`TensorFlow.js could not start its back end ${name}`)
}
