import { dispatch, groupsFor, output, register, rowsOf } from '../record.ts'
import { declarations, floats, reductions, rowwise } from '../wgsl.ts'

const forward = (lanes: number) => `
${declarations(floats('x', 'weight', 'bias'), floats('y', 'mean', 'inverse'), [
  ['rows', 'u32'],
  ['size', 'u32'],
  ['epsilon', 'f32'],
])}
${reductions(lanes)}
${rowwise(
  lanes,
  `
  let start = row * params.size;
  var sum = 0.0;
  for (var i = lane; i < params.size; i += LANES) { sum += x[start + i]; }
  let middle = total(sum, lane) / f32(params.size);
  var squares = 0.0;
  for (var i = lane; i < params.size; i += LANES) {
    let away = x[start + i] - middle;
    squares += away * away;
  }
  let factor = inverseSqrt(total(squares, lane) / f32(params.size) + params.epsilon);
  if (lane == 0u) {
    mean[row] = middle;
    inverse[row] = factor;
  }
  for (var i = lane; i < params.size; i += LANES) {
    y[start + i] = (x[start + i] - middle) * factor * weight[i] + bias[i];
  }
`,
)}`

// dx = r (g - mean(g) - z mean(g z)) with g = dy w and z = (x - mean) r
const backward = (lanes: number) => `
${declarations(floats('dy', 'x', 'weight', 'mean', 'inverse'), floats('dx'), [
  ['rows', 'u32'],
  ['size', 'u32'],
])}
${reductions(lanes)}
${rowwise(
  lanes,
  `
  let start = row * params.size;
  let middle = mean[row];
  let r = inverse[row];
  var sum = 0.0;
  var inner = 0.0;
  for (var i = lane; i < params.size; i += LANES) {
    let g = dy[start + i] * weight[i];
    sum += g;
    inner += g * (x[start + i] - middle) * r;
  }
  let level = total(sum, lane) / f32(params.size);
  let pull = total(inner, lane) / f32(params.size);
  for (var i = lane; i < params.size; i += LANES) {
    dx[start + i] = r * (dy[start + i] * weight[i] - level - (x[start + i] - middle) * r * pull);
  }
`,
)}`

/** LayerNorm and its gradient: see `fused-kernels.ts`. */
export function registerLayerNorm(): void {
  register('LayerNorm', ({ inputs, attributes: { epsilon }, backend }) => {
    const x = inputs.x!
    const { size, rows, lanes } = rowsOf(x)
    const column = [...x.shape.slice(0, -1), 1]
    const results = [output(backend, x.shape), output(backend, column), output(backend, column)]
    dispatch(
      backend,
      { key: `LayerNorm ${lanes}`, code: () => forward(lanes) },
      [x, inputs.weight!, inputs.bias!, ...results],
      [rows, size, { float: epsilon }],
      groupsFor(rows, 1),
    )
    return results
  })
  register('LayerNormGrad', ({ inputs, backend }) => {
    const x = inputs.x!
    const { size, rows, lanes } = rowsOf(x)
    const dx = output(backend, x.shape)
    dispatch(
      backend,
      { key: `LayerNormGrad ${lanes}`, code: () => backward(lanes) },
      [inputs.dy!, x, inputs.weight!, inputs.mean!, inputs.inverse!, dx],
      [rows, size],
      groupsFor(rows, 1),
    )
    return dx
  })
}
