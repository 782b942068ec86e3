import { dispatch, groupsFor, output, register, sizeOf } from '../record.ts'
import { declarations, elementwise, floats } from '../wgsl.ts'

/**
 * The share of a standard normal distribution below x. WGSL has no erf: erfc(z) = p(t) exp(-z^2) with t = 1 / (1 + 0.3275911 z)
 * is right to 1.5e-7 for z >= 0 (Abramowitz and Stegun, 7.1.26).
 */
const normalShare = `
fn normalShare(x: f32) -> f32 {
  let z = abs(x) * ${Math.SQRT1_2};
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let tail = 0.5 * p * exp(-z * z);
  return select(1.0 - tail, tail, x < 0.0);
}
`

const forward = () => `
${declarations(floats('x'), floats('y'), [['count', 'u32']])}
${normalShare}
${elementwise('y[index] = x[index] * normalShare(x[index]);')}`

const backward = () => `
${declarations(floats('dy', 'x'), floats('dx'), [['count', 'u32']])}
${normalShare}
${elementwise(`
  let at = x[index];
  dx[index] = dy[index] * (normalShare(at) + at * exp(-0.5 * at * at) * ${1 / Math.sqrt(2 * Math.PI)});
`)}`

/** GELU without approximation, and its gradient: see `fused-kernels.ts`. */
export function registerGelu(): void {
  register('Gelu', ({ inputs, backend }) => {
    const x = inputs.x!
    const count = sizeOf(x.shape)
    const y = output(backend, x.shape)
    dispatch(backend, { key: 'Gelu', code: forward }, [x, y], [count], groupsFor(count, 256))
    return y
  })
  register('GeluGrad', ({ inputs, backend }) => {
    const x = inputs.x!
    const count = sizeOf(x.shape)
    const dx = output(backend, x.shape)
    dispatch(backend, { key: 'GeluGrad', code: backward }, [inputs.dy!, x, dx], [count], groupsFor(count, 256))
    return dx
  })
}
