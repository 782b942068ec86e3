import type { FrozenForm } from '../../../frozen-weight.ts'

/** Readers of one element from a weight's words, `weight`, as it is stored (an int8 element without its row's scale). */
export const weightReaders: Record<FrozenForm, string> = {
  float32: `
fn weight_one(index: u32) -> f32 { return bitcast<f32>(weight[index]); }`,
  float16: `
fn weight_one(index: u32) -> f32 {
  let pair = unpack2x16float(weight[index >> 1u]);
  return select(pair.x, pair.y, (index & 1u) == 1u);
}`,
  bfloat16: `
fn wide(word: u32) -> vec2<f32> { return vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u)); }
fn weight_one(index: u32) -> f32 {
  let pair = wide(weight[index >> 1u]);
  return select(pair.x, pair.y, (index & 1u) == 1u);
}`,
  int8: `
fn weight_one(index: u32) -> f32 { return f32(i32(weight[index >> 2u] << (24u - 8u * (index & 3u))) >> 24u); }`,
}

/**
 * The type Raw, eight elements of a row as they come from memory; `raw_eight(row, column)`, zeros beyond the row's end and the last
 * row, and where rows are aligned `raw_at(vector)`; the type Eight, and `eight_of(raw, row)`. Reading and converting are apart, so that one can be on its way while
 * something else is computed. `column` is a multiple of eight.
 *
 * @param aligned whether rows begin at a multiple of eight elements: the weight is then bound as vectors of so many of them
 *   (of four, for float32)
 * @param as pairs of 16-bit floats in a vec4<u32>, or two vec4<f32>
 * @param scaled multiplies elements in 8 bits by their row's scale
 */
export function eightReader(form: FrozenForm, aligned: boolean, as: '16 bits' | '32 bits', scaled: boolean): string {
  const packs = as === '16 bits'
  const { type, read, first, last } = aligned ? raws[form] : ragged
  const factor = form === 'int8' && scaled ? 'scales[params.start + row] * params.boost' : '1.0'
  // What is as wide in memory as in registers is converted at once.
  const atOnce = !aligned || form === 'float32'
  const straight = packs && (atOnce || form === 'float16')
  const raw = atOnce ? 'Eight' : type
  return `
struct Wide { first: vec4<f32>, last: vec4<f32> }
alias Eight = ${packs ? 'vec4<u32>' : 'Wide'};
${aligned ? '' : raggedElement(form)}
${helpers[form]}
fn pack(first: vec4<f32>, last: vec4<f32>) -> vec4<u32> {
  return vec4<u32>(pack2x16float(first.xy), pack2x16float(first.zw), pack2x16float(last.xy), pack2x16float(last.zw));
}
alias Raw = ${raw};
${
  aligned
    ? `
// Counts in vectors of eight elements.
fn raw_at(vector: u32) -> Raw { return ${atOnce ? `${packs ? 'pack' : 'Wide'}(${read})` : read}; }
fn raw_within(vector: u32, inside: bool) -> Raw {
  if (!inside) { return Raw(); }
  return raw_at(vector);
}
fn raw_eight(row: u32, column: u32) -> Raw {
  return raw_within((row * params.columns + column) / 8u, row < params.rows && column < params.columns);
}`
    : `
fn raw_eight(row: u32, column: u32) -> Raw {
  if (row >= params.rows || column >= params.columns) { return Raw(); }
  let index = row * params.columns + column;
  let rest = params.columns - column;
  return ${packs ? 'pack' : 'Wide'}(${read.replaceAll('FACTOR', factor)});
}`
}
fn eight_of(raw: Raw, row: u32) -> Eight {
  ${
    straight || atOnce
      ? 'return raw;'
      : `let factor = ${factor};
  return ${packs ? 'pack' : 'Wide'}(${first} * factor, ${last} * factor);`
  }
}
fn weight_eight(row: u32, column: u32) -> Eight { return eight_of(raw_eight(row, column), row); }`
}

interface RawForm {
  type: string
  /** What is read of the eight elements in `vector`, or from `index`. */
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

const raggedElement = (form: FrozenForm) => `${weightReaders[form]}
fn element(index: u32, inside: bool) -> f32 {
  if (!inside) { return 0.0; }
  return weight_one(index);
}`
const raggedFour = (from: number) =>
  `vec4<f32>(${[0, 1, 2, 3].map((c) => `element(index + ${from + c}u, rest > ${from + c}u)`).join(', ')}) * FACTOR`
const ragged: RawForm = {
  type: 'Wide',
  read: `${raggedFour(0)}, ${raggedFour(4)}`,
  first: 'raw.first',
  last: 'raw.last',
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
