import { dispatch, groupsFor, output, register, sizeOf } from '../record.ts'
import { declarations, elementwise, floats } from '../wgsl.ts'

// One invocation turns a pair of elements that lie half a head apart.
const code = () => `
${declarations(floats('x', 'cosine', 'sine'), floats('y'), [
  ['count', 'u32'],
  ['half', 'u32'],
  ['heads', 'u32'],
  ['places', 'u32'],
  ['direction', 'f32'],
])}
${elementwise(`
  let pair = index % params.half;
  let head = index / params.half;
  let first = head * 2u * params.half + pair;
  // Tables of one row serve every row.
  let angle = (head / params.heads % params.places) * params.half + pair;
  let c = cosine[angle];
  let s = sine[angle] * params.direction;
  let one = x[first];
  let other = x[first + params.half];
  y[first] = one * c - other * s;
  y[first + params.half] = other * c + one * s;
`)}`

export function registerRotary(): void {
  register('Rotary', ({ inputs, attributes, backend }) => {
    const x = inputs.x!
    const cosine = inputs.cosine!
    const half = x.shape[3]! / 2
    const count = sizeOf(x.shape) / 2
    const y = output(backend, x.shape)
    const places = sizeOf(cosine.shape) / half
    dispatch(
      backend,
      { key: 'Rotary', code },
      [x, cosine, inputs.sine!, y],
      [count, half, x.shape[2]!, places, { float: attributes.back ? -1 : 1 }],
      groupsFor(count, 256),
    )
    return y
  })
}
