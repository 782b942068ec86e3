import type { TensorInfo } from '../../../tensor/tf.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, groupsFor, output, register, rowsOf } from '../record.ts'
import { declarations, floats, reductions, rowwise } from '../wgsl.ts'

const forward = (lanes: number) => `
${declarations(floats('x', 'weight'), floats('y', 'inverse'), [
  ['rows', 'u32'],
  ['size', 'u32'],
  ['epsilon', 'f32'],
])}
${reductions(lanes)}
${rowwise(
  lanes,
  `
  let start = row * params.size;
  var squares = 0.0;
  for (var i = lane; i < params.size; i += LANES) { squares += x[start + i] * x[start + i]; }
  let factor = inverseSqrt(total(squares, lane) / f32(params.size) + params.epsilon);
  if (lane == 0u) { inverse[row] = factor; }
  for (var i = lane; i < params.size; i += LANES) { y[start + i] = x[start + i] * factor * weight[i]; }
`,
)}`

// dx = r w dy - x r^3 / size * sum(w dy x)
const backward = (lanes: number) => `
${declarations(floats('dy', 'x', 'weight', 'inverse'), floats('dx'), [
  ['rows', 'u32'],
  ['size', 'u32'],
])}
${reductions(lanes)}
${rowwise(
  lanes,
  `
  let start = row * params.size;
  var inner = 0.0;
  for (var i = lane; i < params.size; i += LANES) { inner += dy[start + i] * weight[i] * x[start + i]; }
  let r = inverse[row];
  let pull = total(inner, lane) * r * r * r / f32(params.size);
  for (var i = lane; i < params.size; i += LANES) {
    dx[start + i] = dy[start + i] * weight[i] * r - x[start + i] * pull;
  }
`,
)}`

/** y [n, size] and inverse [n, 1]: see `fused-kernels.ts`. */
export function rmsNorm(
  backend: CardBackend,
  x: TensorInfo,
  weight: TensorInfo,
  epsilon: number,
): [y: TensorInfo, inverse: TensorInfo] {
  const { size, rows, lanes } = rowsOf(x)
  const y = output(backend, x.shape)
  const inverse = output(backend, [...x.shape.slice(0, -1), 1])
  dispatch(
    backend,
    { key: `RmsNorm ${lanes}`, code: () => forward(lanes) },
    [x, weight, y, inverse],
    [rows, size, { float: epsilon }],
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
  const { size, rows, lanes } = rowsOf(x)
  const dx = output(backend, x.shape)
  dispatch(
    backend,
    { key: `RmsNormGrad ${lanes}`, code: () => backward(lanes) },
    [dy, x, weight, inverse, dx],
    [rows, size],
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
