import { tf, type TensorInfo } from '../../../tensor/tf.ts'

/**
 * TensorFlow.js's kernel binds every summand at once, which fails on the card where there are more than it has bindings for.
 * This one adds eight at a time.
 */
export function registerAddN(): void {
  const original = tf.getKernel('AddN', 'webgpu')!
  tf.unregisterKernel('AddN', 'webgpu')
  const most = 7
  tf.registerKernel({
    ...original,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const add = (summands: TensorInfo[]) =>
        original.kernelFunc({ inputs: summands as never, attrs, backend }) as TensorInfo
      const summands = inputs as unknown as TensorInfo[]
      let sum = add(summands.slice(0, most))
      for (let next = most; next < summands.length; next += most - 1) {
        const more = add([sum, ...summands.slice(next, next + most - 1)])
        ;(backend as { disposeData(id: object): boolean }).disposeData(sum.dataId)
        sum = more
      }
      return sum
    },
  })
}
