import type { TensorInfo } from '../../../tensor/tf.ts'
import { register } from '../record.ts'
import { changeable, changeInPlace } from './in-place.ts'

const names = ['value', 'first', 'second'] as const

/** AdamW's update of many matrices, in place: an adapter is hundreds of small ones. */
export function registerAdamW(): void {
  register('AdamWUpdate', ({ inputs, attributes, backend }) => {
    const { beta1, beta2, epsilon, items } = attributes
    // These scalars were created on the host, where their values still are.
    const scalars = [inputs.rate!, inputs.correction!, inputs.decay!].map(({ dataId }) => ({
      float: (backend.readSync(dataId) as Float32Array)[0]!,
    }))
    const updated = Array.from({ length: items }, (_, i): Record<string, TensorInfo> => ({
      gradient: inputs[`gradient${i}`]!,
      ...Object.fromEntries(names.map((name) => [name, changeable(backend, inputs[`${name}${i}`]!)])),
    }))
    changeInPlace(
      backend,
      {
        key: 'AdamWUpdate',
        reads: ['gradient'],
        changes: names,
        settings: ['beta1', 'beta2', 'rest1', 'rest2', 'epsilon', 'rate', 'correction', 'decay'].map((name) => [
          name,
          'f32',
        ]),
        body: (of) => `
        let g = ${of('gradient')};
        let m = ${of('first')} * params.beta1 + g * params.rest1;
        let v = ${of('second')} * params.beta2 + g * g * params.rest2;
        ${of('first')} = m;
        ${of('second')} = v;
        ${of('value')} = ${of('value')} * params.decay - m * params.rate / (sqrt(v * params.correction) + params.epsilon);`,
      },
      updated,
      [...[beta1, beta2, 1 - beta1, 1 - beta2, epsilon].map((float) => ({ float })), ...scalars],
    )
    return updated.flatMap(({ first, second, value }) => [first!, second!, value!])
  })
}
