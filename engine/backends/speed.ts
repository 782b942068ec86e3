import { z } from 'zod'
import type { BackendName } from '../shared/backend-names.ts'
import { keyOfMeasurement, measuredOnce } from '../shared/measured.ts'
import { frozenWeight, type FrozenWeight } from '../tensor/frozen-weight.ts'
import { tf } from '../tensor/tf.ts'
import type { DeviceFacts } from './facts.ts'

/** In GFLOP/s, and when it was measured last, in milliseconds since 1970. Of earlier versions there is a speed alone. */
const speedSchema = z.union([
  z.strictObject({ gigaflops: z.number().positive(), at: z.number() }),
  z
    .number()
    .positive()
    .transform((gigaflops) => ({ gigaflops, at: 0 })),
])

const anHour = 3_600_000

/**
 * Speed of a frozen linear layer in GFLOP/s: the cached measurement of this device and driver, or a new one, which takes a few
 * hundred milliseconds. Another program may have slowed the device down throughout: after an hour it is measured again, and the
 * higher speed is kept.
 *
 * @param start makes the back end the current one
 */
export async function measureSpeed(
  name: BackendName,
  { device, driver }: DeviceFacts,
  start: () => Promise<unknown>,
): Promise<number> {
  const measure = async () => {
    await start()
    return { gigaflops: await measureProducts(), at: Date.now() }
  }
  const { gigaflops } = await measuredOnce(
    'speeds.json',
    speedSchema,
    keyOfMeasurement([name, device, driver]),
    measure,
    {
      isDue: ({ at }) => Math.abs(Date.now() - at) > anHour,
      better: (known, measured) => ({ ...measured, gigaflops: Math.max(known.gigaflops, measured.gigaflops) }),
    },
  )
  return gigaflops
}

const [rows, width] = [512, 1024]

/**
 * Products of [512, 1024] with a float16 weight [1024, 1024], for about 200 ms after the first. The fastest counts, because the
 * others may have shared the device with another program.
 */
async function measureProducts(): Promise<number> {
  const weight = ones()
  const x = tf.ones([rows, width])
  const product = async () => {
    const y = tf.engine().runKernel('FrozenLinear', { x }, { weight, transposed: false } as never) as ReturnType<
      typeof tf.ones
    >
    await y.data()
    y.dispose()
  }
  // The first product also compiles and uploads.
  await product()
  const end = performance.now() + 200
  let fastest = Infinity
  do {
    const started = performance.now()
    await product()
    fastest = Math.min(fastest, performance.now() - started)
  } while (performance.now() < end)
  x.dispose()
  return (2 * rows * width * width) / (fastest / 1000) / 1e9
}

function ones(): FrozenWeight {
  const bytes = new Uint8Array(new Float16Array(width * width).fill(1).buffer)
  return frozenWeight({ name: 'measured', dtype: 'float16', shape: [width, width], bytes })
}
