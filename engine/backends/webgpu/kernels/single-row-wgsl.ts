import { finishRows } from './product-plan.ts'
import { lines } from './shared-bindings.ts'

/** Outputs of a workgroup where x has one row, and lanes that share one: neighbours read neighbouring words of the weight. */
export const singleRow = { outputs: 4, lanes: 32 }
/** Vectors of the weight that a lane waits for at once: rows are short, and a card answers late. */
const atOnce = 4

export const singleRowMain = (): string => {
  const { outputs, lanes } = singleRow
  const load = (i: number) => `let raw${i} = raw_at(start + vector + ${i * lanes}u);`
  const add = (i: number) => `{
      let values = x_eight(0u, (vector + ${i * lanes}u) * 8u);
      let factors = eight_of(raw${i}, row);
      sum += dot(values.first, factors.first) + dot(values.last, factors.last);
    }`
  return `
var<workgroup> partial: array<f32, ${outputs * lanes}>;
@compute @workgroup_size(${outputs * lanes})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  let within = lane % ${lanes}u;
  let column = (group.x + group.y * groups.x) * ${outputs}u + lane / ${lanes}u;
  let row = min(column, params.rows - 1u);
  let start = row * params.stride;
  let vectors = (params.columns + 7u) / 8u;
  var sum = 0.0;
  var vector = within;
  for (; vector + ${(atOnce - 1) * lanes}u < vectors; vector += ${atOnce * lanes}u) {
    ${lines(atOnce, load)}
    ${lines(atOnce, add)}
  }
  for (; vector < vectors; vector += ${lanes}u) {
    ${load(0)}
    ${add(0)}
  }
  partial[lane] = sum;
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (within < half) { partial[lane] += partial[lane + half]; }
  }
  if (within == 0u) {${finishRows('column', [{ row: '0u', sum: 'partial[lane]' }])}
  }
}`
}
