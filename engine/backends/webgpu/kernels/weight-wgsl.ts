import type { FrozenForm } from '../../../frozen-weight.ts'

/**
 * Readers of a weight's words, `weight`: one element, or four that begin at a multiple of four, as they are stored (an int8
 * element without its row's scale).
 */
export const weightReaders: Record<FrozenForm, string> = {
  float32: `
fn weight_one(index: u32) -> f32 { return bitcast<f32>(weight[index]); }
fn weight_four(index: u32) -> vec4<f32> {
  return vec4<f32>(weight_one(index), weight_one(index + 1u), weight_one(index + 2u), weight_one(index + 3u));
}`,
  float16: `
fn weight_one(index: u32) -> f32 {
  let pair = unpack2x16float(weight[index >> 1u]);
  return select(pair.x, pair.y, (index & 1u) == 1u);
}
fn weight_four(index: u32) -> vec4<f32> {
  return vec4<f32>(unpack2x16float(weight[index >> 1u]), unpack2x16float(weight[(index >> 1u) + 1u]));
}`,
  bfloat16: `
fn wide(word: u32) -> vec2<f32> { return vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u)); }
fn weight_one(index: u32) -> f32 {
  let pair = wide(weight[index >> 1u]);
  return select(pair.x, pair.y, (index & 1u) == 1u);
}
fn weight_four(index: u32) -> vec4<f32> {
  return vec4<f32>(wide(weight[index >> 1u]), wide(weight[(index >> 1u) + 1u]));
}`,
  int8: `
fn weight_one(index: u32) -> f32 { return f32(i32(weight[index >> 2u] << (24u - 8u * (index & 3u))) >> 24u); }
fn weight_four(index: u32) -> vec4<f32> {
  let word = weight[index >> 2u];
  return vec4<f32>(vec4<i32>(i32(word << 24u), i32(word << 16u), i32(word << 8u), i32(word)) >> vec4<u32>(24u));
}`,
}

/** How a weight is bound where four elements are always read at once, and `weight_fours(index)`, which counts in fours. */
export const weightFours: Record<FrozenForm, { type: string; code: string }> = {
  float32: {
    type: 'vec4<u32>',
    code: 'fn weight_fours(index: u32) -> vec4<f32> { return bitcast<vec4<f32>>(weight[index]); }',
  },
  float16: {
    type: 'vec2<u32>',
    code: `
fn weight_fours(index: u32) -> vec4<f32> {
  let words = weight[index];
  return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}`,
  },
  bfloat16: {
    type: 'vec2<u32>',
    code: `
fn weight_fours(index: u32) -> vec4<f32> {
  let words = weight[index].xxyy;
  return bitcast<vec4<f32>>(vec4<u32>(words.x << 16u, words.y & 0xffff0000u, words.z << 16u, words.w & 0xffff0000u));
}`,
  },
  int8: {
    type: 'u32',
    code: `
fn weight_fours(index: u32) -> vec4<f32> {
  let word = weight[index];
  return vec4<f32>(vec4<i32>(i32(word << 24u), i32(word << 16u), i32(word << 8u), i32(word)) >> vec4<u32>(24u));
}`,
  },
}
