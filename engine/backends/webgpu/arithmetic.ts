import type { CardBackend } from './backend.ts'
import type { Arithmetic } from './kernels/product-wgsl.ts'

const chosen = new WeakMap<CardBackend, Arithmetic>()

/** How products with frozen weights are multiplied on this card. */
export const arithmeticOf = (backend: CardBackend): Arithmetic => chosen.get(backend) ?? { kind: 'tiled', type: 'f32' }

export function setArithmetic(backend: CardBackend, arithmetic: Arithmetic): void {
  chosen.set(backend, arithmetic)
}
