import { availableParallelism, cpus } from 'node:os'
import type { BackendName } from '../shared/backend-names.ts'
import { badSetting, SecateurError } from '../shared/errors.ts'
import { debug } from '../shared/log.ts'
import { tf } from '../tensor/tf.ts'
import type { DeviceFacts } from './facts.ts'
import { registerFrozenComposites } from './frozen-composite.ts'
import { measureSpeed } from './speed.ts'
import { startTensorFlow } from './tensorflow.ts'
import { startWebGpu, stopWebGpu } from './webgpu/index.ts'

export interface Refusal {
  name: BackendName
  reason: string
}

export interface Choice extends DeviceFacts {
  name: BackendName
  /** Back ends that are not used, and why. */
  refused: Refusal[]
}

export interface ChoiceOptions {
  device?: 'auto' | BackendName
  threads?: number | undefined
}

/** The back ends that `auto` tries. `cpu` is for tests, and for machines where none of these works. */
const candidates = ['tensorflow', 'webgpu', 'onnx'] as const

/**
 * Makes the fastest back end that works here the current one, or the one that is asked for.
 *
 * @param options.device one back end by name, or `auto`: where several work, the fastest in a short measurement, which is
 *   cached by device and driver. `cpu` is the reference: exact, single-threaded, slow.
 * @param options.threads threads of one operator; every core that this process may use by default.
 * @throws SecateurError where the setting is wrong or the back end asked for does not work.
 */
export async function chooseBackend(options: ChoiceOptions = {}): Promise<Choice> {
  const threads = threadsOf(options)
  const device = options.device ?? 'auto'
  const choice = device === 'auto' ? await fastestBackend(threads) : await namedBackend(device, threads)
  for (const { name, reason } of choice.refused) debug('backend', () => `${name} is not used: ${reason}`)
  debug(
    'backend',
    () => `${choice.name} computes on ${choice.device}; threads: ${choice.threads}; asked for: ${device}`,
  )
  return choice
}

async function fastestBackend(threads: number): Promise<Choice> {
  const { chosen, refused } = await rankBackends(threads)
  return { name: chosen.name, ...(await startBackend(chosen.name, threads)), refused }
}

async function namedBackend(name: BackendName, threads: number): Promise<Choice> {
  try {
    return { name, ...(await startBackend(name, threads)), refused: [] }
  } catch (cause) {
    throw new SecateurError('unsupported', reasonOf(cause), { field: 'device', cause })
  }
}

export interface Contender {
  name: BackendName
  facts: DeviceFacts
  /** Speed of a frozen linear layer in GFLOP/s; null where it was not measured. */
  gigaflops: number | null
}

/**
 * Every back end that works, the one that `auto` takes, and why the others are not taken.
 *
 * @param options.quiet what is waited for before one is timed
 */
export async function rankBackends(
  threads: number,
  { measureAll = false, quiet }: { measureAll?: boolean; quiet?: Promise<unknown> | undefined } = {},
): Promise<{ chosen: Contender; contenders: Contender[]; refused: Refusal[] }> {
  const contenders: Contender[] = []
  const refused: Refusal[] = []
  const passed = (name: BackendName, reason: string) => void refused.push({ name, reason })
  for (const name of candidates) {
    try {
      contenders.push({ name, facts: await startBackend(name, threads, 'auto'), gigaflops: null })
    } catch (error) {
      passed(name, reasonOf(error))
    }
  }
  if (contenders.length > 1 || measureAll) {
    for (const contender of contenders) {
      const { name, facts } = contender
      contender.gigaflops = await measureSpeed(name, facts, async () => {
        await quiet
        await startBackend(name, threads)
      })
    }
    contenders.sort((one, other) => other.gigaflops! - one.gigaflops!)
  }
  if (contenders.length === 0) contenders.push({ name: 'cpu', facts: await startBackend('cpu', 1), gigaflops: null })
  const [chosen, ...slower] = contenders as [Contender, ...Contender[]]
  for (const { name, gigaflops } of slower)
    passed(
      name,
      `${chosen.name} is faster here: ${Math.round(chosen.gigaflops!)} against ${Math.round(gigaflops!)} GFLOP/s in a frozen linear layer`,
    )
  if (chosen.name !== 'webgpu') stopWebGpu()
  return { chosen, contenders, refused }
}

/**
 * Starts a back end, if it is not running, and makes it the current one.
 *
 * @throws Error that says why it does not work
 */
async function startBackend(name: BackendName, threads: number, by: 'name' | 'auto' = 'name'): Promise<DeviceFacts> {
  // Without this the back end `cpu` advertises another package on standard error.
  tf.enableProdMode()
  const facts = await start[name](threads, by)
  if (!(await tf.setBackend(name))) throw new Error(`TensorFlow.js could not start its back end ${name}`)
  return facts
}

const start: Record<BackendName, (threads: number, by: 'name' | 'auto') => DeviceFacts | Promise<DeviceFacts>> = {
  tensorflow: () => startTensorFlow(),
  webgpu: (_, by) => startWebGpu({ software: by === 'name' }),
  onnx: async (threads) => {
    // Loads TensorFlow.js and ONNX Runtime: not before something is computed.
    const { registerOnnxBackend } = await import('./onnx/index.ts')
    registerOnnxBackend({ threads })
    return processorFacts(threads)
  },
  cpu: () => {
    registerFrozenComposites('cpu')
    return processorFacts(1)
  },
}

const processorFacts = (threads: number): DeviceFacts => {
  const model = cpus()[0]?.model.trim() ?? process.arch
  return { device: model, driver: `${model} ${threads}`, memoryBytes: null, threads }
}

export function threadsOf({ threads = availableParallelism() }: ChoiceOptions): number {
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024)
    throw badSetting('threads', `${threads} is not a number of threads: give a whole number from 1 to 1024`)
  return threads
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
