import { dispatch, groupsFor, output, register, sizeOf } from '../record.ts'
import { declarations, elementwise, floats } from '../wgsl.ts'

const code = () => `
${declarations(floats('value', 'first', 'second', 'gradient'), floats('nextFirst', 'nextSecond', 'nextValue'), [
  ['count', 'u32'],
  ['beta1', 'f32'],
  ['beta2', 'f32'],
  ['rest1', 'f32'],
  ['rest2', 'f32'],
  ['epsilon', 'f32'],
  ['rate', 'f32'],
  ['correction', 'f32'],
  ['decay', 'f32'],
])}
${elementwise(`
  let m = first[index] * params.beta1 + gradient[index] * params.rest1;
  let v = second[index] * params.beta2 + gradient[index] * gradient[index] * params.rest2;
  nextFirst[index] = m;
  nextSecond[index] = v;
  nextValue[index] = value[index] * params.decay - m * params.rate / (sqrt(v * params.correction) + params.epsilon);
`)}`

export function registerAdamW(): void {
  register('AdamWUpdate', ({ inputs, attributes, backend }) => {
    const { beta1, beta2, epsilon } = attributes
    const { value, first, second, gradient } = inputs as Record<string, NonNullable<(typeof inputs)[string]>>
    const count = sizeOf(value!.shape)
    const results = [0, 1, 2].map(() => output(backend, value!.shape))
    // These scalars were created on the host, where their values still are.
    const scalars = [inputs.rate!, inputs.correction!, inputs.decay!].map(({ dataId }) => ({
      float: (backend.readSync(dataId) as Float32Array)[0]!,
    }))
    const settings = [beta1, beta2, 1 - beta1, 1 - beta2, epsilon].map((float) => ({ float }))
    dispatch(
      backend,
      { key: 'AdamWUpdate', code },
      [value!, first!, second!, gradient!, ...results],
      [count, ...settings, ...scalars],
      groupsFor(count, 256),
    )
    return results
  })
}
