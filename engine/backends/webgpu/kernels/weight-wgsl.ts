import type { FrozenForm } from '../../../tensor/frozen-weight.ts'

/** What several readers of a form are made of. */
const helpers: Record<FrozenForm, string> = {
  float32: '',
  float16: '',
  bfloat16: `
fn wide_pair(word: u32) -> vec2<f32> { return vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u)); }`,
  int8: `
fn four_of(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(i32(word << 24u), i32(word << 16u), i32(word << 8u), i32(word)) >> vec4<u32>(24u));
}`,
}

/** Readers of one element from a weight's words, `weight`, as it is stored (an int8 element without its row's scale). */
export const weightReaders: Record<FrozenForm, string> = {
  float32: `
fn weight_one(index: u32) -> f32 { return bitcast<f32>(weight[index]); }`,
  float16: `
fn weight_one(index: u32) -> f32 {
  let pair = unpack2x16float(weight[index >> 1u]);
  return select(pair.x, pair.y, (index & 1u) == 1u);
}`,
  bfloat16: `${helpers.bfloat16}
fn weight_one(index: u32) -> f32 {
  let pair = wide_pair(weight[index >> 1u]);
  return select(pair.x, pair.y, (index & 1u) == 1u);
}`,
  int8: `
fn weight_one(index: u32) -> f32 { return f32(i32(weight[index >> 2u] << (24u - 8u * (index & 3u))) >> 24u); }`,
}

/** `pack(first, last)`: eight elements as pairs of 16-bit floats. */
export const pack = `
fn pack(first: vec4<f32>, last: vec4<f32>) -> vec4<u32> {
  return vec4<u32>(pack2x16float(first.xy), pack2x16float(first.zw), pack2x16float(last.xy), pack2x16float(last.zw));
}`

/**
 * The type Raw, eight elements of a row as they come from memory; `raw_at(vector)`, which counts in eights, and `raw_within`, zeros
 * where it is not inside; the type Eight, and `eight_of(raw, row)`. Reading and converting are apart, so that one can be on its
 * way while something else is computed. `weight_eight(row, column)` does both, with zeros beyond the row's end and the last row.
 * The weight is bound as vectors of eight elements (of four, for float32).
 *
 * @param as pairs of 16-bit floats in a vec4<u32>, or two vec4<f32>
 * @param scaled multiplies elements in 8 bits by their row's scale
 */
export function eightReader(form: FrozenForm, as: '16 bits' | '32 bits', scaled: boolean): string {
  const { type, read, first, last } = raws[form]
  const make = as === '16 bits' ? 'pack' : 'Wide'
  // What is as wide in memory as in registers is converted at once.
  const atOnce = form === 'float32'
  const straight = atOnce || (form === 'float16' && as === '16 bits')
  const factor = form === 'int8' && scaled ? 'scales[params.start + row] * params.boost' : '1.0'
  return `
struct Wide { first: vec4<f32>, last: vec4<f32> }
alias Eight = ${as === '16 bits' ? 'vec4<u32>' : 'Wide'};
${helpers[form]}
${pack}
alias Raw = ${atOnce ? 'Eight' : type};
fn raw_at(vector: u32) -> Raw { return ${atOnce ? `${make}(${read})` : read}; }
fn raw_within(vector: u32, inside: bool) -> Raw {
  if (!inside) { return Raw(); }
  return raw_at(vector);
}
fn eight_of(raw: Raw, row: u32) -> Eight {
  ${straight ? 'return raw;' : `let factor = ${factor}; return ${make}(${first} * factor, ${last} * factor);`}
}
fn weight_eight(row: u32, column: u32) -> Eight {
  let inside = row < params.rows && column < params.columns;
  return eight_of(raw_within(row * params.stride + column / 8u, inside), row);
}`
}

interface RawForm {
  type: string
  /** What is read of the eight elements in `vector`. */
  read: string
  /** The first four elements of `raw`, and the last. */
  first: string
  last: string
}

const raws: Record<FrozenForm, RawForm> = {
  float32: {
    type: 'Wide',
    read: 'bitcast<vec4<f32>>(weight[2u * vector]), bitcast<vec4<f32>>(weight[2u * vector + 1u])',
    first: 'raw.first',
    last: 'raw.last',
  },
  float16: {
    type: 'vec4<u32>',
    read: 'weight[vector]',
    first: 'vec4<f32>(unpack2x16float(raw.x), unpack2x16float(raw.y))',
    last: 'vec4<f32>(unpack2x16float(raw.z), unpack2x16float(raw.w))',
  },
  bfloat16: {
    type: 'vec4<u32>',
    read: 'weight[vector]',
    first: 'vec4<f32>(wide_pair(raw.x), wide_pair(raw.y))',
    last: 'vec4<f32>(wide_pair(raw.z), wide_pair(raw.w))',
  },
  int8: { type: 'vec2<u32>', read: 'weight[vector]', first: 'four_of(raw.x)', last: 'four_of(raw.y)' },
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
    code: `${helpers.bfloat16}
fn weight_fours(index: u32) -> vec4<f32> {
  let words = weight[index];
  return vec4<f32>(wide_pair(words.x), wide_pair(words.y));
}`,
  },
  int8: {
    type: 'u32',
    code: `${helpers.int8}
fn weight_fours(index: u32) -> vec4<f32> { return four_of(weight[index]); }`,
  },
}
