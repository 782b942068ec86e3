import type { TensorInfo } from '../../../tensor/tf.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, groupsFor, output, register, rowsOf, type Uniform } from '../record.ts'
import { declarations, floats, reductions, rowwise } from '../wgsl.ts'

/** Rows are read and written four elements at a time where they are whole vectors; `size` counts these then. */
const typed = (fours: boolean, ...names: string[]): [string, string][] =>
  names.map((name) => [name, fours ? 'vec4<f32>' : 'f32'])
const sumOf = (fours: boolean, value: string, other: string) =>
  fours ? `dot(${value}, ${other})` : `${value} * ${other}`

const forward = (lanes: number, fours: boolean) => `
${declarations(
  typed(fours, 'x', 'weight'),
  [...typed(fours, 'y'), ...floats('inverse')],
  [
    ['rows', 'u32'],
    ['size', 'u32'],
    ['elements', 'f32'],
    ['epsilon', 'f32'],
  ],
)}
${reductions(lanes)}
${rowwise(
  lanes,
  `
  let start = row * params.size;
  var squares = 0.0;
  for (var i = lane; i < params.size; i += LANES) { let value = x[start + i]; squares += ${sumOf(fours, 'value', 'value')}; }
  let factor = inverseSqrt(total(squares, lane) / params.elements + params.epsilon);
  if (lane == 0u) { inverse[row] = factor; }
  for (var i = lane; i < params.size; i += LANES) { y[start + i] = x[start + i] * factor * weight[i]; }
`,
)}`

// dx = r w dy - x r^3 / size * sum(w dy x)
const backward = (lanes: number, fours: boolean) => `
${declarations([...typed(fours, 'dy', 'x', 'weight'), ...floats('inverse')], typed(fours, 'dx'), [
  ['rows', 'u32'],
  ['size', 'u32'],
  ['elements', 'f32'],
])}
${reductions(lanes)}
${rowwise(
  lanes,
  `
  let start = row * params.size;
  var inner = 0.0;
  for (var i = lane; i < params.size; i += LANES) { inner += ${sumOf(fours, '(dy[start + i] * weight[i])', 'x[start + i]')}; }
  let r = inverse[row];
  let pull = total(inner, lane) * r * r * r / params.elements;
  for (var i = lane; i < params.size; i += LANES) {
    dx[start + i] = dy[start + i] * weight[i] * r - x[start + i] * pull;
  }
`,
)}`

/** How rows are taken, and what the shaders are told of their number and size. */
function layoutOf(x: TensorInfo) {
  const { size, rows, lanes } = rowsOf(x)
  const fours = size % 4 === 0
  const sizes: Uniform[] = [rows, fours ? size / 4 : size, { float: size }]
  return { lanes, fours, rows, sizes }
}

/** y [n, size] and inverse [n, 1]: see `fused-kernels.ts`. */
export function rmsNorm(
  backend: CardBackend,
  x: TensorInfo,
  weight: TensorInfo,
  epsilon: number,
): [y: TensorInfo, inverse: TensorInfo] {
  const { lanes, fours, rows, sizes } = layoutOf(x)
  const y = output(backend, x.shape)
  const inverse = output(backend, [...x.shape.slice(0, -1), 1])
  dispatch(
    backend,
    { key: `RmsNorm ${lanes} ${fours}`, code: () => forward(lanes, fours) },
    [x, weight, y, inverse],
    [...sizes, { float: epsilon }],
    groupsFor(rows, 1),
  )
  return [y, inverse]
}

/** Gradient with respect to x. */
export function rmsNormGradient(
  backend: CardBackend,
  dy: TensorInfo,
  x: TensorInfo,
  weight: TensorInfo,
  inverse: TensorInfo,
): TensorInfo {
  const { lanes, fours, rows, sizes } = layoutOf(x)
  const dx = output(backend, x.shape)
  dispatch(
    backend,
    { key: `RmsNormGrad ${lanes} ${fours}`, code: () => backward(lanes, fours) },
    [dy, x, weight, inverse, dx],
    sizes,
    groupsFor(rows, 1),
  )
  return dx
}

export function registerRmsNorm(): void {
  register('RmsNorm', ({ inputs, attributes, backend }) =>
    rmsNorm(backend, inputs.x!, inputs.weight!, attributes.epsilon),
  )
  register('RmsNormGrad', ({ inputs, backend }) =>
    rmsNormGradient(backend, inputs.dy!, inputs.x!, inputs.weight!, inputs.inverse!),
  )
}
