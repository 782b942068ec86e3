import type { ModelConfig } from '../models/model-config.ts'
import { frozenWeight, type FrozenWeight, quantise } from '../tensor/frozen-weight.ts'
import { modelOf } from '../models/drawn-model.ts'
import type { Model } from '../models/family.ts'

/** Matrices of one size share their numbers on the host, and are weights of their own everywhere else. */
export class RandomWeights {
  readonly #int8: boolean
  readonly #made = new Map<string, FrozenWeight>()

  constructor(int8: boolean) {
    this.#int8 = int8
  }

  /** A weight in float16, or in 8 bits; embeddings are never in 8 bits. */
  matrix(rows: number, columns: number, int8 = this.#int8): FrozenWeight {
    const key = `${rows} ${columns} ${int8}`
    let one = this.#made.get(key)
    if (!one) this.#made.set(key, (one = this.#draw(rows, columns, int8)))
    // The same numbers under a new identity.
    return { ...one, id: frozenWeight({ name: '', dtype: 'float32', shape: [0, 0], bytes: new Uint8Array(0) }).id }
  }

  #draw(rows: number, columns: number, int8: boolean): FrozenWeight {
    const bits = new Uint16Array(rows * columns)
    const table = new Uint16Array(
      Float16Array.from({ length: 4096 }, (_, i) => Math.sin((i + 1) * 12.9898) * 0.03).buffer,
    )
    let state = 1
    for (let i = 0; i < bits.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0
      bits[i] = table[state >>> 20]!
    }
    const weight = frozenWeight({
      name: 'random',
      dtype: 'float16',
      shape: [rows, columns],
      bytes: new Uint8Array(bits.buffer),
    })
    return int8 ? quantise(weight) : weight
  }
}

/** A model with random weights, in float16 or with its linear layers in 8 bits. */
export function randomModel(config: ModelConfig, int8: boolean): Model {
  const weights = new RandomWeights(int8)
  return modelOf(config, (rows, columns, table) => weights.matrix(rows, columns, int8 && !table))
}
