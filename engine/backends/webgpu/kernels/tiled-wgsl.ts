import { depthOf, finishRows, type ProductPlan, takesPackedRows } from './product-plan.ts'
import { count, lines } from './shared-bindings.ts'

/** Rows and columns of y that a workgroup of 256 lanes has, and the depth that it stages at once. */
export const tile = { rows: 128, columns: 64, depth: 16 }
const lanes = 256
const [perLane, across] = [8, 4]

/**
 * Each lane has eight rows and four columns of the result in registers, sixteen apart, and takes four elements of the depth at
 * a time from tiles in workgroup memory: twelve loads of sixteen bytes for 128 multiplications.
 */
export function tiledMain(plan: ProductPlan): string {
  const half = takesPackedRows(plan)
  const type = half ? 'f16' : 'f32'
  const stride = tile.depth / 4 + 1
  const rightStride = plan.transposed ? tile.columns / 4 + 1 : stride
  const wide = (value: string) => (half ? `vec4<f32>(${value})` : value)
  // Four vectors of eight elements of a row of x, or two.
  const parts = tile.depth / 8
  return `
var<workgroup> left: array<vec4<${type}>, ${tile.rows * stride}>;
var<workgroup> right: array<vec4<${type}>, ${(plan.transposed ? tile.depth : tile.columns) * rightStride}>;
${fours(type)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first_row = group.x * ${tile.rows}u;
  let first_column = group.y * ${tile.columns}u;
  let tx = lane % 16u;
  let ty = lane / 16u;
  ${depthOf(plan, plan.transposed ? 'params.rows' : 'params.columns')}
  let offset = ${plan.transposed ? 'params.start' : '0u'};
  ${lines(perLane, (i) => `var sum${i} = vec4<f32>(0.0);`)}
  for (var first = depth_first; first < depth_count; first += ${tile.depth}u) {
    {
      let row = lane / ${parts}u;
      let part = lane % ${parts}u;
      let values = x_eight(first_row + row, offset + first + part * 8u);
      left[row * ${stride}u + part * 2u] = first_four(values);
      left[row * ${stride}u + part * 2u + 1u] = last_four(values);
    }
    ${plan.transposed ? stageDeep(rightStride) : stageWide(rightStride, parts)}
    workgroupBarrier();
    for (var d = 0u; d < ${tile.depth / 4}u; d++) {
      ${lines(perLane, (i) => `let l${i} = ${wide(`left[(ty + ${16 * i}u) * ${stride}u + d]`)};`)}
      ${
        plan.transposed
          ? `${lines(4, (c) => `let r${c} = ${wide(`right[(d * 4u + ${c}u) * ${rightStride}u + tx]`)};`)}
      ${lines(perLane, (i) => `sum${i} += l${i}.x * r0 + l${i}.y * r1 + l${i}.z * r2 + l${i}.w * r3;`)}`
          : `${lines(across, (j) => `let r${j} = ${wide(`right[(tx + ${16 * j}u) * ${rightStride}u + d]`)};`)}
      ${lines(perLane, (i) => `sum${i} += vec4<f32>(dot(l${i}, r0), dot(l${i}, r1), dot(l${i}, r2), dot(l${i}, r3));`)}`
      }
    }
    workgroupBarrier();
  }
  ${count(across)
    .map((j) =>
      finishRows(
        `first_column + ${plan.transposed ? `tx * 4u + ${j}u` : `tx + ${16 * j}u`}`,
        count(perLane).map((i) => ({ row: `first_row + ty + ${16 * i}u`, sum: `sum${i}[${j}]` })),
      ),
    )
    .join('')}
}`
}

/** Rows of the weight are columns of y. */
const stageWide = (stride: number, parts: number) => `if (lane < ${tile.columns * parts}u) {
      let row = lane / ${parts}u;
      let part = lane % ${parts}u;
      let values = weight_eight(first_column + row, first + part * 8u);
      right[row * ${stride}u + part * 2u] = first_four(values);
      right[row * ${stride}u + part * 2u + 1u] = last_four(values);
    }`

/** Rows of the weight are the depth. */
const stageDeep = (stride: number) => `if (lane < ${(tile.depth * tile.columns) / 8}u) {
      let row = lane / ${tile.columns / 8}u;
      let part = lane % ${tile.columns / 8}u;
      let values = weight_eight(first + row, first_column + part * 8u);
      right[row * ${stride}u + part * 2u] = first_four(values);
      right[row * ${stride}u + part * 2u + 1u] = last_four(values);
    }`

const fours = (type: 'f16' | 'f32') =>
  type === 'f16'
    ? `
fn first_four(values: Eight) -> vec4<f16> { return bitcast<vec4<f16>>(values.xy); }
fn last_four(values: Eight) -> vec4<f16> { return bitcast<vec4<f16>>(values.zw); }`
    : `
fn first_four(values: Eight) -> vec4<f32> { return values.first; }
fn last_four(values: Eight) -> vec4<f32> { return values.last; }`
