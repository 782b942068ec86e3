import { registerFused } from './kernel.ts'

/**
 * AdamW's update, computed here rather than by a graph: an adapter is many small matrices, and a dozen operators on each
 * cost more than the arithmetic. `fused-kernels.ts` says what it takes and gives.
 */
export function registerFusedAdamW(): void {
  registerFused('AdamWUpdate', ({ inputs, attributes: { beta1, beta2, epsilon, items }, backend }) => {
    const read = (name: string) => backend.floats(inputs[name]!)
    const [rate, correction, decay] = [read('rate')[0]!, read('correction')[0]!, read('decay')[0]!]
    return Array.from({ length: items }, (_, item) => {
      const [value, first, second] = [read(`value${item}`), read(`first${item}`), read(`second${item}`)]
      const gradient = read(`gradient${item}`)
      const { shape } = inputs[`value${item}`]!
      const [m, v, next] = [backend.blank(shape), backend.blank(shape), backend.blank(shape)]
      for (let i = 0; i < value.length; i++) {
        const g = gradient[i]!
        const mean = beta1 * first[i]! + (1 - beta1) * g
        const square = beta2 * second[i]! + (1 - beta2) * g * g
        m.data[i] = mean
        v.data[i] = square
        next.data[i] = decay * value[i]! - (rate * mean) / (Math.sqrt(correction * square) + epsilon)
      }
      return [m.tensor, v.tensor, next.tensor]
    }).flat()
  })
}
