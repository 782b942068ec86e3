import { declarations } from '../wgsl.ts'
import { columns, members, shareOf, shares, type Tiling, vectorsOf, widthOf } from './attention-tiling.ts'
import { lines } from './shared-bindings.ts'

interface Bindings {
  /** Tensors whose rows are heads. */
  heads: string[]
  reads: string[]
  /** Written tensors whose rows are heads. */
  outputs: string[]
  writes: string[]
}

const typed = (type: string, names: string[]) => names.map((name): [string, string] => [name, type])

/**
 * Bindings in the order heads, reads, outputs, writes, and what all kernels share. Where a head is whole vectors, its
 * tensors are bound as such, and one load fetches 16 bytes.
 */
export function common(tiling: Tiling, { heads, reads, outputs, writes }: Bindings): string {
  const { down, across, depth, headSize } = tiling
  const whole = headSize % 4 === 0
  const vectors = (names: string[]) => typed(whole ? 'vec4<f32>' : 'f32', names)
  return `
${declarations(
  [...vectors(heads), ...typed('f32', reads)],
  [...vectors(outputs), ...typed('f32', writes)],
  ['queries', 'keys', 'heads', 'shared_by', 'bias_rows', 'causal'].map((name) => [name, 'u32']),
)}
const OWN = ${4 * down}u;
const OTHER = ${4 * across}u;
const VECTORS = ${vectorsOf(tiling)}u;
const FAR = -3.0e38;
// Vectors of rows of the own and the other tile, by vector and row; of the other tile by row and vector where it is summed.
var<workgroup> own_bank: array<array<vec4<f32>, ${4 * down + 1}>, ${depth}>;
var<workgroup> other_bank: array<array<vec4<f32>, ${widthOf(tiling)}>, ${depth}>;
// By column and lane: what belongs to four rows.
var<workgroup> weights: array<array<vec4<f32>, ${down + 1}>, ${4 * across}>;
var<workgroup> tiles_seen: atomic<u32>;

fn key_head(head: u32) -> u32 { return head / params.shared_by; }
// Places beyond the last are the last: nothing of them counts, and nothing has to be asked before they are read.
fn query_at(row: u32, query: u32, head: u32) -> u32 {
  return (row * params.queries + min(query, params.queries - 1u)) * params.heads + head;
}
fn key_at(row: u32, key: u32, head: u32) -> u32 {
  return (row * params.keys + min(key, params.keys - 1u)) * (params.heads / params.shared_by) + head;
}
fn statistic_at(row: u32, query: u32, head: u32) -> u32 {
  return (row * params.heads + head) * params.queries + min(query, params.queries - 1u);
}
fn bias_at(row: u32, query: u32, key: u32) -> f32 {
  let first = (min(row, params.bias_rows - 1u) * params.queries + min(query, params.queries - 1u)) * params.keys;
  return select(FAR, bias[first + min(key, params.keys - 1u)], query < params.queries && key < params.keys);
}
// Whether any pair of a tile may see each other: the other tiles cost nothing. Tiles are numbered from 1, upwards.
fn any_visible(biases: vec4<f32>, tile: u32) -> bool {
  if (any(biases > vec4(-1.0e8))) { atomicMax(&tiles_seen, tile); }
  return workgroupUniformLoad(&tiles_seen) == tile;
}
fn more(sum: f32, a: vec4<f32>, b: vec4<f32>) -> f32 {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}
${reduction(tiling, 'total', (one, other) => `${one} + ${other}`)}
${reduction(tiling, 'largest', (one, other) => `max(${one}, ${other})`)}
${heads
  .map((name) =>
    whole
      ? `fn load_${name}(at: u32, d: u32) -> vec4<f32> { return ${name}[at * VECTORS + d]; }`
      : `fn load_${name}(at: u32, d: u32) -> vec4<f32> {
  let element = 4u * d + vec4(0u, 1u, 2u, 3u);
  let place = at * ${headSize}u + min(element, vec4(${headSize - 1}u));
  let vector = vec4(${members.map((m) => `${name}[place.${m}]`).join(', ')});
  return select(vec4(0.0), vector, element < vec4(${headSize}u));
}`,
  )
  .join('\n')}
${outputs
  .map((name) =>
    whole
      ? `fn store_${name}(at: u32, d: u32, vector: vec4<f32>) { ${name}[at * VECTORS + d] = vector; }`
      : `fn store_${name}(at: u32, d: u32, vector: vec4<f32>) {
  let first = at * ${headSize}u;
  ${members.map((m, n) => `if (4u * d + ${n}u < ${headSize}u) { ${name}[first + 4u * d + ${n}u] = vector.${m}; }`).join('\n  ')}
}`,
  )
  .join('\n')}`
}

/** A function of the lanes that share rows, for each of the four rows. */
const reduction = ({ across }: Tiling, name: string, combine: (one: string, other: string) => string) => `
fn ${name}(value: vec4<f32>, i: u32, j: u32) -> vec4<f32> {
  workgroupBarrier();
  weights[j][i] = value;
  workgroupBarrier();
  var result = weights[0][i];
  for (var n = 1u; n < ${across}u; n++) { result = ${combine('result', 'weights[n][i]')}; }
  return result;
}`

/** `main`: lane (i, j) has rows mine, mine + 1, ... of the own tile and columns j, j + across, ... of the others. */
export const main = ({ down, across }: Tiling, tile: string, body: string) => `
@compute @workgroup_size(${down * across})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  // Lanes that run together, 32 say, should be a block of the grid: its rows and columns are then read fewest times.
  let i = ${down < across ? `lane % ${down}u` : `lane / ${across}u`};
  let j = ${down < across ? `lane / ${down}u` : `lane % ${across}u`};
  let row = group.y;
  let own_first = (${tile}) * OWN;
  let mine = own_first + 4u * i;
  if (lane == 0u) { atomicStore(&tiles_seen, 0u); }
  workgroupBarrier();
  ${body}
}`

export const zeros = (tiling: Tiling, name: string) =>
  lines(shareOf(tiling), (s) => members.map((_, r) => `var ${name}${r}_${s} = vec4(0.0);`).join(' '))

export const storeSums = (tiling: Tiling, output: string, name: string, at: string, count: string, divisor?: string) =>
  members
    .map(
      (m, r) => `
  if (mine + ${r}u < params.${count}) {
    let at = ${at.replace('MINE', `mine + ${r}u`)};
    ${shares(tiling, (s, vector) => `if (${vector} < VECTORS) { store_${output}(at, ${vector}, ${name}${r}_${s}${divisor ? ` / ${divisor}.${m}` : ''}); }`)}
  }`,
    )
    .join('')

/** A lane's part of `elements` loads into workgroup memory, four at a time: those that are under way together take as long as one. */
function copy({ down, across }: Tiling, elements: number, load: string, store: string): string {
  const lanes = down * across
  const count = Math.ceil(elements / lanes)
  const batch = Math.min(4, count)
  const uneven = elements % (lanes * batch) !== 0
  const steps = Math.ceil(count / batch)
  return `
  ${steps === 1 ? '{ let start = 0u;' : `for (var start = 0u; start < ${steps * batch * lanes}u; start += ${batch * lanes}u) {`}
    ${lines(batch, (n) => `let e${n} = ${uneven ? `min(start + lane + ${n * lanes}u, ${elements - 1}u)` : `start + lane + ${n * lanes}u`};`)}
    ${lines(batch, (n) => `let x${n} = ${load.replaceAll('ELEMENT', `e${n}`)};`)}
    ${lines(batch, (n) => `${uneven ? `if (start + lane + ${n * lanes}u < ${elements}u) ` : ''}{ ${store.replaceAll('ELEMENT', `e${n}`)} = x${n}; }`)}
  }`
}

/** Where a tensor's vectors are: `at` is an expression of PLACE, a row of the tile counted from the tensor's start. */
interface Source {
  tensor: string
  at: string
}
export const ofQuery = (tensor: string, head = 'head'): Source => ({ tensor, at: `query_at(row, PLACE, ${head})` })
export const ofKey = (tensor: string, head = 'key_head(head)'): Source => ({
  tensor,
  at: `key_at(row, PLACE, ${head})`,
})
const load = ({ tensor, at }: Source, place: string, d: string) => `load_${tensor}(${at.replace('PLACE', place)}, ${d})`

/** Adds the products of own and other rows to name0, name1, ...: a vector each of a column, of which a member is a row. */
export function addDots(tiling: Tiling, name: string, own: Source, other: Source): string {
  const { down, across, depth } = tiling
  const vectors = vectorsOf(tiling)
  const taken = Math.ceil(vectors / Math.ceil(vectors / depth))
  const ragged = vectors % taken !== 0
  const d = ragged ? `min(chunk + ELEMENT % ${taken}u, VECTORS - 1u)` : `chunk + ELEMENT % ${taken}u`
  const ownVector = load(own, `own_first + ELEMENT / ${taken}u`, d)
  return `
  ${lines(4, (n) => members.map((m) => `var ${name}${n}${m} = ${name}${n}.${m};`).join(' '))}
  for (var chunk = 0u; chunk < VECTORS; chunk += ${taken}u) {
    workgroupBarrier();
    ${copy(
      tiling,
      4 * down * taken,
      ragged ? `select(vec4(0.0), ${ownVector}, chunk + ELEMENT % ${taken}u < VECTORS)` : ownVector,
      // Row 4 i + r is at r * down + i, so that the lanes of a load read neighbouring vectors.
      `own_bank[ELEMENT % ${taken}u][(ELEMENT / ${taken}u) % 4u * ${down}u + ELEMENT / ${4 * taken}u]`,
    )}
    ${copy(
      tiling,
      4 * across * taken,
      load(other, `first + ELEMENT / ${taken}u`, d),
      `other_bank[ELEMENT % ${taken}u][ELEMENT / ${taken}u]`,
    )}
    workgroupBarrier();
    for (var d = 0u; d < ${taken}u; d++) {
      ${lines(4, (r) => `let a${r} = own_bank[d][i + ${r * down}u];`)}
      ${columns(tiling, (n, column) => {
        const sums = members.map((m, r) => `${name}${n}${m} = more(${name}${n}${m}, a${r}, b${n});`)
        return `let b${n} = other_bank[d][${column}];\n${sums.join(' ')}`
      })}
    }
  }
  ${lines(4, (n) => `${name}${n} = vec4(${members.map((m) => `${name}${n}${m}`).join(', ')});`)}`
}

/** Puts weights name0, name1, ... into workgroup memory, where all lanes of a row find them. */
export const share = (tiling: Tiling, text: (n: number) => string) => `
  workgroupBarrier();
  ${columns(tiling, (n, column) => `weights[${column}][i] = ${text(n)};`)}`

/** Adds the rows of the other tile, before `end`, to a lane's sums, by the weights that were put into workgroup memory. */
export function addWeighted(tiling: Tiling, sums: string, other: Source, end: string): string {
  const taken = Math.min(tiling.depth, 4 * tiling.across)
  const vectors = vectorsOf(tiling)
  return `
  for (var piece = 0u; piece < min(OTHER, ${end} - first); piece += ${taken}u) {
    workgroupBarrier();
    ${copy(
      tiling,
      taken * vectors,
      load(other, `first + piece + ELEMENT / ${vectors}u`, `ELEMENT % ${vectors}u`),
      `other_bank[ELEMENT / ${vectors}u][ELEMENT % ${vectors}u]`,
    )}
    workgroupBarrier();
    for (var t = 0u; t < ${taken}u; t++) {
      let weight = weights[piece + t][i];
      ${shares(tiling, (s, vector) => {
        const steps = members.map((m, r) => `${sums}${r}_${s} = fma(vec4(weight.${m}), x${s}, ${sums}${r}_${s});`)
        return `let x${s} = other_bank[t][${vector}];\n${steps.join('\n')}`
      })}
    }
  }`
}
