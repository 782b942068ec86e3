import { declarations, floats } from '../wgsl.ts'

/** Queries and keys of a tile, and the elements of a head. */
export interface Tiling {
  tile: number
  headSize: number
}

const uniforms: [string, 'u32'][] = [
  ['queries', 'u32'],
  ['keys', 'u32'],
  ['heads', 'u32'],
  ['shared_by', 'u32'],
  ['bias_rows', 'u32'],
  ['causal', 'u32'],
]

/**
 * Lane (i, j) of a workgroup has row i and column j of a score tile, and elements j, j + tile, ... of row i of what is
 * accumulated. `bank` tiles of a head's vectors are in workgroup memory.
 */
const common = ({ tile, headSize }: Tiling, banks: readonly string[]) => `
const TILE = ${tile}u;
const SIZE = ${headSize}u;
const PIECES = ${Math.ceil(headSize / tile)}u;
const FAR = -3.0e38;
${banks.map((bank) => `var<workgroup> ${bank}: array<f32, ${tile * headSize}>;`).join('\n')}
var<workgroup> scores: array<f32, ${tile * tile}>;
var<workgroup> seen: atomic<u32>;
var<workgroup> visible: u32;

fn key_head(head: u32) -> u32 { return head / params.shared_by; }
fn key_heads() -> u32 { return params.heads / params.shared_by; }
fn query_at(row: u32, query: u32, head: u32) -> u32 { return ((row * params.queries + query) * params.heads + head) * SIZE; }
fn key_at(row: u32, key: u32, head: u32) -> u32 { return ((row * params.keys + key) * key_heads() + head) * SIZE; }
fn statistic_at(row: u32, query: u32, head: u32) -> u32 { return (row * params.heads + head) * params.queries + query; }
fn bias_at(row: u32, query: u32, key: u32) -> f32 {
  if (query >= params.queries || key >= params.keys) { return FAR; }
  return bias[(min(row, params.bias_rows - 1u) * params.queries + query) * params.keys + key];
}
// Whether any pair of the tile may see each other: the others cost nothing.
fn any_visible(value: f32, lane: u32) -> bool {
  if (lane == 0u) { atomicStore(&seen, 0u); }
  workgroupBarrier();
  if (value > -1.0e8) { atomicOr(&seen, 1u); }
  workgroupBarrier();
  if (lane == 0u) { visible = atomicLoad(&seen); }
  return workgroupUniformLoad(&visible) != 0u;
}
`

/** Fills a bank with rows first, first + 1, ... of a tensor; zeros beyond `count`. */
const fill = (bank: string, tensor: string, at: 'query_at' | 'key_at', first: string, count: string, head: string) => `
  workgroupBarrier();
  for (var e = lane; e < TILE * SIZE; e += TILE * TILE) {
    let place = ${first} + e / SIZE;
    ${bank}[e] = 0.0;
    if (place < params.${count}) { ${bank}[e] = ${tensor}[${at}(row, place, ${head}) + e % SIZE]; }
  }
  workgroupBarrier();
`

const dot = (result: string, one: string, other: string) => `
  var ${result} = 0.0;
  for (var d = 0u; d < SIZE; d++) { ${result} += ${one}[i * SIZE + d] * ${other}[j * SIZE + d]; }
`

const pieces = (body: string) => `
  for (var c = 0u; c < PIECES; c++) {
    let d = j + c * TILE;
    if (d < SIZE) { ${body} }
  }
`

const main = ({ tile }: Tiling, body: string) => `
@compute @workgroup_size(${tile * tile})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = lane / TILE;
  let j = lane % TILE;
  let row = group.z;
  ${body}
}`

export const attentionForward = (tiling: Tiling) => `
${declarations(floats('q', 'k', 'v', 'bias'), floats('context', 'logSumExp'), uniforms)}
${common(tiling, ['own', 'other'])}
${main(
  tiling,
  `
  let head = group.y;
  let query = group.x * TILE + i;
  var sums: array<f32, PIECES>;
  var top = FAR;
  var weight = 0.0;
  ${fill('own', 'q', 'query_at', 'group.x * TILE', 'queries', 'head')}
  let end = select(params.keys, min(params.keys, (group.x + 1u) * TILE), params.causal == 1u);
  for (var first = 0u; first < end; first += TILE) {
    let b = bias_at(row, query, first + j);
    if (!any_visible(b, lane)) { continue; }
    ${fill('other', 'k', 'key_at', 'first', 'keys', 'key_head(head)')}
    ${dot('score', 'own', 'other')}
    score += b;
    scores[lane] = score;
    ${fill('other', 'v', 'key_at', 'first', 'keys', 'key_head(head)')}
    let before = top;
    for (var t = 0u; t < TILE; t++) { top = max(top, scores[i * TILE + t]); }
    workgroupBarrier();
    scores[lane] = exp(score - top);
    workgroupBarrier();
    // What was summed so far was measured from a lower top.
    let shrink = exp(before - top);
    weight *= shrink;
    for (var t = 0u; t < TILE; t++) { weight += scores[i * TILE + t]; }
    ${pieces(`
      var sum = sums[c] * shrink;
      for (var t = 0u; t < TILE; t++) { sum += scores[i * TILE + t] * other[t * SIZE + d]; }
      sums[c] = sum;
    `)}
  }
  if (query < params.queries) {
    if (j == 0u) { logSumExp[statistic_at(row, query, head)] = top + log(weight); }
    ${pieces('context[query_at(row, query, head) + d] = sums[c] / weight;')}
  }
`,
)}`

export const queryGradients = (tiling: Tiling) => `
${declarations(floats('q', 'k', 'v', 'bias', 'dy', 'context', 'logSumExp'), floats('dq', 'delta'), uniforms)}
${common(tiling, ['own', 'gradient', 'other'])}
${main(
  tiling,
  `
  let head = group.y;
  let query = group.x * TILE + i;
  let inside = query < params.queries;
  var sums: array<f32, PIECES>;
  ${fill('own', 'q', 'query_at', 'group.x * TILE', 'queries', 'head')}
  ${fill('gradient', 'dy', 'query_at', 'group.x * TILE', 'queries', 'head')}
  var part = 0.0;
  if (inside) { ${pieces('part += gradient[i * SIZE + d] * context[query_at(row, query, head) + d];')} }
  scores[lane] = part;
  workgroupBarrier();
  var mean = 0.0;
  for (var t = 0u; t < TILE; t++) { mean += scores[i * TILE + t]; }
  var logSum = 0.0;
  if (inside) {
    logSum = logSumExp[statistic_at(row, query, head)];
    if (j == 0u) { delta[statistic_at(row, query, head)] = mean; }
  }
  let end = select(params.keys, min(params.keys, (group.x + 1u) * TILE), params.causal == 1u);
  for (var first = 0u; first < end; first += TILE) {
    let b = bias_at(row, query, first + j);
    if (!any_visible(b, lane)) { continue; }
    ${fill('other', 'v', 'key_at', 'first', 'keys', 'key_head(head)')}
    ${dot('slope', 'gradient', 'other')}
    ${fill('other', 'k', 'key_at', 'first', 'keys', 'key_head(head)')}
    ${dot('score', 'own', 'other')}
    scores[lane] = exp(score + b - logSum) * (slope - mean);
    workgroupBarrier();
    ${pieces('for (var t = 0u; t < TILE; t++) { sums[c] += scores[i * TILE + t] * other[t * SIZE + d]; }')}
  }
  if (inside) { ${pieces('dq[query_at(row, query, head) + d] = sums[c];')} }
`,
)}`

// Here i counts keys and j queries; a key/value head gathers from all query heads that read it.
export const keyValueGradients = (tiling: Tiling) => `
${declarations(floats('q', 'k', 'v', 'bias', 'dy', 'logSumExp', 'delta'), floats('dk', 'dv'), uniforms)}
${common(tiling, ['own_key', 'own_value', 'other'])}
${main(
  tiling,
  `
  let own_head = group.y;
  let key = group.x * TILE + i;
  var key_sums: array<f32, PIECES>;
  var value_sums: array<f32, PIECES>;
  ${fill('own_key', 'k', 'key_at', 'group.x * TILE', 'keys', 'own_head')}
  ${fill('own_value', 'v', 'key_at', 'group.x * TILE', 'keys', 'own_head')}
  for (var shared_head = 0u; shared_head < params.shared_by; shared_head++) {
    let head = own_head * params.shared_by + shared_head;
    for (var first = select(0u, group.x * TILE, params.causal == 1u); first < params.queries; first += TILE) {
      let query = first + j;
      let b = bias_at(row, query, key);
      if (!any_visible(b, lane)) { continue; }
      ${fill('other', 'q', 'query_at', 'first', 'queries', 'head')}
      ${dot('score', 'own_key', 'other')}
      var probability = 0.0;
      var mean = 0.0;
      if (query < params.queries && key < params.keys) {
        probability = exp(score + b - logSumExp[statistic_at(row, query, head)]);
        mean = delta[statistic_at(row, query, head)];
      }
      ${fill('other', 'dy', 'query_at', 'first', 'queries', 'head')}
      ${dot('slope', 'own_value', 'other')}
      scores[lane] = probability;
      workgroupBarrier();
      ${pieces('for (var t = 0u; t < TILE; t++) { value_sums[c] += scores[i * TILE + t] * other[t * SIZE + d]; }')}
      ${fill('other', 'q', 'query_at', 'first', 'queries', 'head')}
      scores[lane] = probability * (slope - mean);
      workgroupBarrier();
      ${pieces('for (var t = 0u; t < TILE; t++) { key_sums[c] += scores[i * TILE + t] * other[t * SIZE + d]; }')}
    }
  }
  if (key < params.keys) {
    ${pieces(`
      dk[key_at(row, key, own_head) + d] = key_sums[c];
      dv[key_at(row, key, own_head) + d] = value_sums[c];
    `)}
  }
`,
)}`
