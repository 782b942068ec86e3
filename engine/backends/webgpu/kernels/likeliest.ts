import { likeliestLayout } from '../../likeliest.ts'
import { dispatch, groupsFor, output, register } from '../record.ts'
import { declarations, elementwise } from '../wgsl.ts'

const { found, best, bound, sum, broken, listed, least, most, words } = likeliestLayout

/** Pieces of a row, dealt out in blocks of 32 scores: neighbours in a vocabulary are alike, and should not share a chunk. */
const chunks = 256
const lanes = 64

/** Whole numbers in the order of their scores, and which scores are not finite. */
const keys = `
fn key_of(score: f32) -> u32 {
  let bits = bitcast<u32>(score);
  // A negative zero is no lower than the positive one.
  if (bits == 0x80000000u) { return 0x80000000u; }
  return select(bits | 0x80000000u, ~bits, bits > 0x7fffffffu);
}
fn score_of(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, key > 0x7fffffffu)); }
fn is_finite(score: f32) -> bool { return (bitcast<u32>(score) & 0x7f800000u) != 0x7f800000u; }`

/**
 * Of each chunk of a row the highest score, its first id, the sum of exponentials measured from it, and whether a score is not
 * finite. Bindings scores and tops [rows, chunks].
 */
const chunkCode = () => `
${declarations(
  [['scores', 'f32']],
  [['tops', 'vec4<u32>']],
  [
    ['size', 'u32'],
    ['temperature', 'f32'],
  ],
)}
${keys}
// The higher of two keys, and of equal ones the first id.
fn higher(one: vec2<u32>, other: vec2<u32>) -> vec2<u32> {
  return select(other, one, one.x > other.x || (one.x == other.x && one.y < other.y));
}
var<workgroup> tops_of: array<vec2<u32>, ${lanes}>;
var<workgroup> sums: array<f32, ${lanes}>;
var<workgroup> odd: atomic<u32>;
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let start = group.y * params.size;
  let first = (lane / 32u * ${chunks}u + group.x) * 32u + lane % 32u;
  if (lane == 0u) { atomicStore(&odd, 0u); }
  workgroupBarrier();
  var top = vec2(0u, 0xffffffffu);
  for (var id = first; id < params.size; id += ${lanes * chunks}u) {
    let score = scores[start + id];
    if (!is_finite(score)) { atomicStore(&odd, 1u); }
    top = higher(top, vec2(key_of(score), id));
  }
  tops_of[lane] = top;
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { tops_of[lane] = higher(tops_of[lane], tops_of[lane + half]); }
  }
  workgroupBarrier();
  let highest = tops_of[0];
  var sum = 0.0;
  if (params.temperature > 0.0) {
    for (var id = first; id < params.size; id += ${lanes * chunks}u) {
      sum += exp((scores[start + id] - score_of(highest.x)) / params.temperature);
    }
  }
  sums[lane] = sum;
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] += sums[lane + half]; }
  }
  if (lane == 0u) {
    tops[group.y * ${chunks}u + group.x] = vec4(highest, bitcast<u32>(sums[0]), atomicLoad(&odd));
  }
}`

/** Of each row the best token, the sum over all, and the score that as many chunks as have to be found reach. */
const rowCode = () => `
${declarations(
  [['tops', 'vec4<u32>']],
  [['facts', 'u32']],
  [
    ['stride', 'u32'],
    ['temperature', 'f32'],
  ],
)}
${keys}
var<workgroup> all: array<vec4<u32>, ${chunks}>;
var<workgroup> sums: array<f32, ${chunks}>;
var<workgroup> best_key: u32;
var<workgroup> odd: atomic<u32>;
@compute @workgroup_size(${chunks})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let start = group.x * params.stride;
  let own = tops[group.x * ${chunks}u + lane];
  all[lane] = own;
  if (lane == 0u) { atomicStore(&odd, 0u); }
  workgroupBarrier();
  if (own.w != 0u) { atomicStore(&odd, 1u); }
  var place = 0u;
  for (var i = 0u; i < ${chunks}u; i++) {
    let other = all[i];
    if (other.x > own.x || (other.x == own.x && other.y < own.y)) { place++; }
  }
  if (place == 0u) {
    best_key = own.x;
    facts[start + ${best}u] = own.y;
  }
  if (place == ${least - 1}u) { facts[start + ${bound}u] = bitcast<u32>(score_of(own.x)); }
  workgroupBarrier();
  sums[lane] = 0.0;
  if (params.temperature > 0.0) {
    sums[lane] = bitcast<f32>(own.z) * exp((score_of(own.x) - score_of(best_key)) / params.temperature);
  }
  for (var half = ${chunks / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] += sums[lane + half]; }
  }
  if (lane == 0u) {
    facts[start + ${sum}u] = bitcast<u32>(sums[0]);
    facts[start + ${found}u] = 0u;
    facts[start + ${broken}u] = atomicLoad(&odd);
  }
}`

/** Lists the scores that reach a row's bound, in any order. */
const listCode = () => `
${declarations(
  [['scores', 'f32']],
  [['facts', 'atomic<u32>']],
  [
    ['count', 'u32'],
    ['size', 'u32'],
  ],
)}
${keys}
${elementwise(`
  let start = index / params.size * ${words}u;
  let score = scores[index];
  let lowest = bitcast<f32>(atomicLoad(&facts[start + ${bound}u]));
  if (key_of(score) < key_of(lowest)) { return; }
  let place = atomicAdd(&facts[start + ${found}u], 1u);
  if (place >= ${most}u) { return; }
  atomicStore(&facts[start + ${listed}u + 2u * place], bitcast<u32>(score));
  atomicStore(&facts[start + ${listed}u + 2u * place + 1u], index % params.size);
`)}`

/**
 * The likeliest tokens of each row of logits, so that the host reads a few kilobytes of them: a chunk of a row has its highest
 * score, and what reaches the 128th of 256 of these is listed, 128 tokens at least and some 180 as a rule.
 */
export function registerLikeliest(): void {
  register('Likeliest', ({ inputs, attributes: { temperature }, backend }) => {
    const logits = inputs.logits!
    const [rows, size] = logits.shape as [number, number]
    const stride = temperature === 0 ? listed : words
    const tops = output(backend, [rows, chunks, 4], 'int32')
    const facts = output(backend, [rows, stride], 'int32')
    const at = { float: temperature }
    dispatch(backend, { key: 'likeliest of chunks', code: chunkCode }, [logits, tops], [size, at], [chunks, rows])
    dispatch(backend, { key: 'likeliest of rows', code: rowCode }, [tops, facts], [stride, at], [rows])
    if (temperature > 0)
      dispatch(
        backend,
        { key: 'likeliest listed', code: listCode },
        [logits, facts],
        [rows * size, size],
        groupsFor(rows * size, 256),
      )
    backend.disposeData(tops.dataId)
    return facts
  })
}
