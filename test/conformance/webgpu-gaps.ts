import { testedBackend, testsHalfPrecision } from '../tested-backend.ts'
import type { Case } from './case.ts'

/** What TensorFlow.js's own kernels for WebGPU cannot do, by the name of a case. Secateur calls none of them that way. */
const gaps: [RegExp, string][] = [
  [/ of odd numbers$|^log1p near zero$/, 'WGSL promises nothing about infinities, NaN and the last bits'],
  [/^cumsum [1-9]|^cumsum .*exclusive/, "TensorFlow.js's kernel sums along another axis than the one asked for"],
  [/^arg(Max|Min)/, "TensorFlow.js's kernel gives the result another shape where the tensor is a vector"],
  [/^mod\b/, "TensorFlow.js's kernel divides by zero otherwise than a processor"],
  [/^empty slice$/, 'the kernels for WebGPU take no empty tensors'],
]

/** Why a case is left out on the back end that is tested, or false. */
export function webGpuGap({ name, operands }: Case): string | false {
  if (testedBackend !== 'webgpu') return false
  if (operands.some(({ shape }) => shape.includes(0))) return 'the kernels for WebGPU take no empty tensors'
  if (operands.some(({ shape }) => shape.length > 4)) return 'kernels for WebGPU end at rank 4'
  return gaps.find(([pattern]) => pattern.test(name))?.[1] ?? false
}

/** What a card may round more coarsely than a processor: WGSL's bounds for its own functions, and sums in any order. */
export function toleranceOf({ name, tolerance = 2e-6 }: Case): number {
  if (testedBackend !== 'webgpu') return tolerance
  // The reference rounds the same factors (see test/rounded-products.ts). One beside a tie may go the other way: 2^-11 of a
  // factor below 2, times one below 0.1.
  if (testsHalfPrecision && /linear layer|loss of the head/.test(name)) return 1e-4
  return Math.max(tolerance, /^(a?sin|a?cos|a?tan)h?\b/.test(name) ? 1e-3 : 1e-5)
}
