import { elementsOf } from '../checkpoint/safetensors-header.ts'
import type { FrozenWeight } from '../tensor/frozen-weight.ts'
import { tf } from '../tensor/tf.ts'
import { assembleModel } from './assemble.ts'
import type { Model } from './family.ts'
import type { ModelConfig } from './model-config.ts'

/** A model without a checkpoint. @param matrix draws a weight of [rows, columns]; a table is an embedding or the output head */
export const modelOf = (
  config: ModelConfig,
  matrix: (rows: number, columns: number, table: boolean) => FrozenWeight,
): Model =>
  assembleModel(config, {
    // A convolution over patches is multiplied with as a matrix.
    matrix: ({ shape, role }, _, rows) => matrix(rows, elementsOf(shape.slice(1)), role.part !== 'weight'),
    bias: (_spec, _first, count) => tf.zeros([count]),
    norm: ({ shape }) => tf.ones(shape),
  })
