import { finishRows } from './product-plan.ts'

/** Outputs of a workgroup where x has one row, and lanes that share one: neighbours read neighbouring words of the weight. */
export const singleRow = { outputs: 4, lanes: 32 }

export const singleRowMain = (): string => `
var<workgroup> partial: array<f32, ${singleRow.outputs * singleRow.lanes}>;
@compute @workgroup_size(${singleRow.outputs * singleRow.lanes})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  let within = lane % ${singleRow.lanes}u;
  let column = (group.x + group.y * groups.x) * ${singleRow.outputs}u + lane / ${singleRow.lanes}u;
  var sum = 0.0;
  for (var first = within * 8u; first < params.columns; first += ${8 * singleRow.lanes}u) {
    let values = x_eight(0u, first);
    let factors = weight_eight(column, first);
    sum += dot(values.first, factors.first) + dot(values.last, factors.last);
  }
  partial[lane] = sum;
  for (var half = ${singleRow.lanes / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (within < half) { partial[lane] += partial[lane + half]; }
  }
  if (within == 0u) {${finishRows('column', [{ row: '0u', sum: 'partial[lane]' }])}
  }
}`
