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

/**
 * The type Eight, and `read_eight(row, column, factor)`: eight elements of a row, times the factor where they are stored in 8
 * bits. `column` is a multiple of eight below params.columns.
 *
 * @param aligned whether rows begin at a multiple of eight elements: the weight is then bound as vectors of so many of them
 *   (of four, for float32)
 * @param as pairs of 16-bit floats in a vec4<u32>, or two vec4<f32>
 */
export function eightReader(form: FrozenForm, aligned: boolean, as: '16 bits' | '32 bits'): string {
  const wide = `
struct Wide { first: vec4<f32>, last: vec4<f32> }
${aligned ? alignedWide[form] : raggedWide(form)}`
  if (as === '32 bits')
    return `${wide}
alias Eight = Wide;
fn read_eight(row: u32, column: u32, factor: f32) -> Eight { return wide_eight(row, column, factor); }`
  if (form === 'float16' && aligned)
    return `
alias Eight = vec4<u32>;
fn read_eight(row: u32, column: u32, factor: f32) -> Eight { return weight[(row * params.columns + column) / 8u]; }`
  return `${wide}
alias Eight = vec4<u32>;
fn read_eight(row: u32, column: u32, factor: f32) -> Eight {
  let values = wide_eight(row, column, factor);
  return vec4<u32>(
    pack2x16float(values.first.xy), pack2x16float(values.first.zw), pack2x16float(values.last.xy), pack2x16float(values.last.zw));
}`
}

const alignedWide: Record<FrozenForm, string> = {
  float32: `
fn wide_eight(row: u32, column: u32, factor: f32) -> Wide {
  let index = (row * params.columns + column) / 4u;
  return Wide(bitcast<vec4<f32>>(weight[index]), bitcast<vec4<f32>>(weight[index + 1u]));
}`,
  float16: `
fn wide_eight(row: u32, column: u32, factor: f32) -> Wide {
  let words = weight[(row * params.columns + column) / 8u];
  return Wide(
    vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y)),
    vec4<f32>(unpack2x16float(words.z), unpack2x16float(words.w)));
}`,
  bfloat16: `
fn wide_pair(word: u32) -> vec2<f32> { return vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u)); }
fn wide_eight(row: u32, column: u32, factor: f32) -> Wide {
  let words = weight[(row * params.columns + column) / 8u];
  return Wide(
    vec4<f32>(wide_pair(words.x), wide_pair(words.y)), vec4<f32>(wide_pair(words.z), wide_pair(words.w)));
}`,
  int8: `
fn four_of(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(i32(word << 24u), i32(word << 16u), i32(word << 8u), i32(word)) >> vec4<u32>(24u));
}
fn wide_eight(row: u32, column: u32, factor: f32) -> Wide {
  let words = weight[(row * params.columns + column) / 8u];
  return Wide(four_of(words.x) * factor, four_of(words.y) * factor);
}`,
}

const raggedWide = (form: FrozenForm) => `${weightReaders[form]}
fn element(index: u32, inside: bool) -> f32 {
  if (!inside) { return 0.0; }
  return weight_one(index);
}
fn wide_eight(row: u32, column: u32, factor: f32) -> Wide {
  let index = row * params.columns + column;
  let rest = params.columns - column;
  return Wide(
    vec4<f32>(${[0, 1, 2, 3].map((c) => `element(index + ${c}u, rest > ${c}u)`).join(', ')}) * factor,
    vec4<f32>(${[4, 5, 6, 7].map((c) => `element(index + ${c}u, rest > ${c}u)`).join(', ')}) * factor);
}`
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
