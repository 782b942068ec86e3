/**
 * The head of a shader: bindings in order, then the uniforms.
 *
 * @param reads names and element types of what is read
 * @param writes of what is written
 * @param uniforms names and types of the members of `params`
 */
export function declarations(
  reads: readonly [name: string, type: string][],
  writes: readonly [name: string, type: string][],
  uniforms: readonly [name: string, type: 'u32' | 'f32'][],
): string {
  const bindings = [
    ...reads.map(([name, type]) => `var<storage, read> ${name}: array<${type}>;`),
    ...writes.map(([name, type]) => `var<storage, read_write> ${name}: array<${type}>;`),
    'var<uniform> params: Params;',
  ]
  return `struct Params { ${uniforms.map(([name, type]) => `${name}: ${type}`).join(', ')} }
${bindings.map((binding, i) => `@group(0) @binding(${i}) ${binding}`).join('\n')}
`
}

export const floats = (...names: string[]): [string, string][] => names.map((name) => [name, 'f32'])

/** `main` over elements: `index` counts them, and the body runs where it is below params.count. */
export const elementwise = (body: string): string => `
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = id.x + id.y * groups.x * 256u;
  if (index >= params.count) { return; }
  ${body}
}
`

/** Lanes that share a row of so many elements. */
export const lanesFor = (size: number): number => (size <= 128 ? 32 : size <= 1024 ? 64 : 256)

/** `main` over rows: a workgroup of LANES lanes has row `row`, which is below params.rows. */
export const rowwise = (lanes: number, body: string): string => `
@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  ${body}
}
`

/** LANES, and `total(value, lane)` and `largest(value, lane)` over the lanes of a workgroup; all of them must call. */
export const reductions = (lanes: number): string => `
const LANES = ${lanes}u;
var<workgroup> partial: array<f32, ${lanes}>;
var<workgroup> sixteenths: array<f32, 16>;
${reduction('total', '0.0', 'result += VALUE;')}
${reduction('largest', '-3.0e38', 'result = max(result, VALUE);')}
`

// Sixteen lanes take a sixteenth of the values each, and then every lane takes these: few barriers, which cost more than additions.
function reduction(name: string, start: string, step: string): string {
  return `
fn ${name}(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  partial[lane] = value;
  workgroupBarrier();
  var result = ${start};
  if (lane < 16u) {
    for (var i = lane; i < LANES; i += 16u) { ${step.replace('VALUE', 'partial[i]')} }
    sixteenths[lane] = result;
  }
  workgroupBarrier();
  result = ${start};
  for (var i = 0u; i < 16u; i++) { ${step.replace('VALUE', 'sixteenths[i]')} }
  return result;
}`
}
