import { declarations } from '../wgsl.ts'
import { members } from './attention-tiling.ts'
import { lines } from './shared-bindings.ts'

/** Query heads of one key/value head that a workgroup takes, and the elements of a head, whole vectors of four. */
export interface HeadGroup {
  /** 1 to 4 */
  heads: number
  headSize: number
}

/** Lanes of a workgroup, and keys of a piece: each lane has the scores of one of them. */
export const lanes = 128
/** Lanes that share the reading of a key, so that neighbours read neighbouring vectors. */
const perKey = 4
/** Keys that a lane has a share of. */
const shares = perKey
const keysAtOnce = lanes / perKey

const vectorsOf = (headSize: number) => headSize / 4
/** Rows of lanes, each of as many as a head has vectors. */
const laneRows = (headSize: number) => Math.floor(lanes / vectorsOf(headSize))
/** Adds to `sum` of the first row of lanes what the bank holds of the others, from `start` on. */
const addRows = (headSize: number, start: number) =>
  `for (var i = lane + VECTORS; i < ${laneRows(headSize) * vectorsOf(headSize)}u; i += VECTORS) { sum += bank[${start}u + i]; }`

/** Bytes of workgroup memory that a piece takes. */
export const pieceBytes = ({ heads, headSize }: HeadGroup): number =>
  16 * (heads * vectorsOf(headSize) + shares * lanes + lanes + 16) + 4

/** `NAME(value, lane)` over all lanes; all of them must call. Sixteen lanes take a sixteenth each, and then every lane takes these. */
const reduction = (name: string, combine: (one: string, other: string) => string) => `
fn ${name}(value: vec4<f32>, lane: u32) -> vec4<f32> {
  workgroupBarrier();
  bank[lane] = value;
  workgroupBarrier();
  if (lane < 16u) {
    var part = bank[lane];
    for (var i = lane + 16u; i < ${lanes}u; i += 16u) { part = ${combine('part', 'bank[i]')}; }
    sixteenths[lane] = part;
  }
  workgroupBarrier();
  var result = sixteenths[0];
  for (var i = 1u; i < 16u; i++) { result = ${combine('result', 'sixteenths[i]')}; }
  return result;
}`

/**
 * Bindings q, k, v, bias, sums [rows, heads, pieces, headSize] and statistics [rows, heads, pieces]; a workgroup for every group
 * of heads, row and piece. The members of a vector belong to the heads of the group; a lane has the scores of a key of its own.
 */
export const pieceCode = ({ heads, headSize }: HeadGroup): string => `
${declarations(
  [
    ['q', 'vec4<f32>'],
    ['k', 'vec4<f32>'],
    ['v', 'vec4<f32>'],
    ['bias', 'f32'],
  ],
  [
    ['sums', 'vec4<f32>'],
    ['statistics', 'vec2<f32>'],
  ],
  ['keys', 'heads', 'shared_by', 'groups', 'bias_rows'].map((name) => [name, 'u32']),
)}
const VECTORS = ${vectorsOf(headSize)}u;
const FAR = -3.0e38;
var<workgroup> queries: array<vec4<f32>, ${heads * vectorsOf(headSize)}>;
// Shares of scores by key and lane, then sums by head and lane, and what is reduced in between.
var<workgroup> bank: array<vec4<f32>, ${shares * lanes}>;
var<workgroup> weights: array<vec4<f32>, ${lanes}>;
var<workgroup> sixteenths: array<vec4<f32>, 16>;
var<workgroup> seen: atomic<u32>;
${reduction('largest', (one, other) => `max(${one}, ${other})`)}
${reduction('total', (one, other) => `${one} + ${other}`)}

@compute @workgroup_size(${lanes})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32
) {
  let key_heads = params.heads / params.shared_by;
  let key_head = group.x / params.groups;
  // The last group of a key's heads may be short: it takes the last head again, and writes the same numbers.
  let last = key_head * params.shared_by + params.shared_by - 1u;
  let first_head = key_head * params.shared_by + group.x % params.groups * ${heads}u;
  let row = group.y;
  let first = group.z * ${lanes}u;
  ${lines(heads, (s) => `let head${s} = row * params.heads + min(first_head + ${s}u, last);`)}

  let key = first + lane;
  var own = FAR;
  if (key < params.keys) { own = bias[min(row, params.bias_rows - 1u) * params.keys + key]; }
  if (lane == 0u) { atomicStore(&seen, 0u); }
  workgroupBarrier();
  if (own > -1.0e8) { atomicStore(&seen, 1u); }
  if (workgroupUniformLoad(&seen) == 0u) {
    if (lane == 0u) {
      ${lines(heads, (s) => `statistics[head${s} * groups.z + group.z] = vec2(FAR, 0.0);`)}
    }
    return;
  }
  ${lines(heads, (s) => `for (var d = lane; d < VECTORS; d += ${lanes}u) { queries[${s}u * VECTORS + d] = q[head${s} * VECTORS + d]; }`)}
  workgroupBarrier();

  // Keys beyond the last are the last: they weigh nothing.
  let part = lane % ${perKey}u;
  ${lines(
    shares,
    (n) => `
  var score${n} = vec4(0.0);
  let at${n} = ((row * params.keys + min(first + ${n * keysAtOnce}u + lane / ${perKey}u, params.keys - 1u)) * key_heads + key_head) * VECTORS;`,
  )}
  for (var d = part; d < VECTORS; d += ${perKey}u) {
    ${lines(shares, (n) => `let x${n} = k[at${n} + d];`)}
    ${lines(
      heads,
      (s) => `
    let query${s} = queries[${s}u * VECTORS + d];
    ${lines(shares, (n) => `score${n}.${members[s]} += dot(query${s}, x${n});`)}`,
    )}
  }
  ${lines(shares, (n) => `bank[${n * lanes}u + lane] = score${n};`)}
  workgroupBarrier();
  // The shares of key ${keysAtOnce} n + i lie at ${lanes} n + ${perKey} i, one beside the other.
  let score = ${lines(perKey, (p) => `${p ? '+ ' : ''}bank[${perKey}u * lane + ${p}u]`)} + own;
  let top = largest(score, lane);
  let weight = exp(score - top);
  weights[lane] = weight;
  let all = total(weight, lane);
  if (lane == 0u) {
    ${lines(heads, (s) => `statistics[head${s} * groups.z + group.z] = vec2(top.${members[s]}, all.${members[s]});`)}
  }

  // Lanes that have a vector each of a value; the keys are dealt out among as many of these as there are lanes for.
  let d = lane % VECTORS;
  let row_of_lanes = lane / VECTORS;
  let end = min(${lanes}u, params.keys - first);
  ${lines(heads, (s) => `var sum${s} = vec4(0.0);`)}
  if (row_of_lanes < ${laneRows(headSize)}u) {
    let start = ((row * params.keys + first) * key_heads + key_head) * VECTORS + d;
    for (var i = row_of_lanes; i < end; i += ${laneRows(headSize)}u) {
      let x = v[start + i * key_heads * VECTORS];
      let by = weights[i];
      ${lines(heads, (s) => `sum${s} = fma(vec4(by.${members[s]}), x, sum${s});`)}
    }
  }
  workgroupBarrier();
  ${lines(heads, (s) => `bank[${s * lanes}u + lane] = sum${s};`)}
  workgroupBarrier();
  ${lines(
    heads,
    (s) => `
  if (lane < VECTORS) {
    var sum = bank[${s * lanes}u + lane];
    ${addRows(headSize, s * lanes)}
    sums[(head${s} * groups.z + group.z) * VECTORS + lane] = sum;
  }`,
  )}
}`

/**
 * Bindings sums, statistics, context [rows, heads, headSize] and logSumExp [rows, heads]; a workgroup for every head and row. What
 * a piece summed is measured from its own largest score; of a piece that nothing looked at, nothing is read.
 */
export const combineCode = (headSize: number): string => `
${declarations(
  [
    ['sums', 'vec4<f32>'],
    ['statistics', 'vec2<f32>'],
  ],
  [
    ['context', 'vec4<f32>'],
    ['logSumExp', 'f32'],
  ],
  [
    ['heads', 'u32'],
    ['pieces', 'u32'],
  ],
)}
const VECTORS = ${vectorsOf(headSize)}u;
var<workgroup> bank: array<vec4<f32>, ${lanes}>;
var<workgroup> sixteenths: array<vec4<f32>, 16>;
${reduction('largest', (one, other) => `max(${one}, ${other})`)}
${reduction('total', (one, other) => `${one} + ${other}`)}

@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let head = group.y * params.heads + group.x;
  let first = head * params.pieces;
  var own = -3.0e38;
  for (var piece = lane; piece < params.pieces; piece += ${lanes}u) { own = max(own, statistics[first + piece].x); }
  let top = largest(vec4(own), lane).x;
  var share = 0.0;
  for (var piece = lane; piece < params.pieces; piece += ${lanes}u) {
    let found = statistics[first + piece];
    share += found.y * exp(found.x - top);
  }
  let all = total(vec4(share), lane).x;
  if (lane == 0u) { logSumExp[head] = top + log(all); }

  // As many pieces at a time as there are lanes for.
  var sum = vec4(0.0);
  if (lane / VECTORS < ${laneRows(headSize)}u) {
    for (var piece = lane / VECTORS; piece < params.pieces; piece += ${laneRows(headSize)}u) {
      let found = statistics[first + piece];
      if (found.y > 0.0) { sum = fma(vec4(exp(found.x - top)), sums[(first + piece) * VECTORS + lane % VECTORS], sum); }
    }
  }
  workgroupBarrier();
  bank[lane] = sum;
  workgroupBarrier();
  if (lane < VECTORS) {
    ${addRows(headSize, 0)}
    context[head * VECTORS + lane] = sum / all;
  }
}`
