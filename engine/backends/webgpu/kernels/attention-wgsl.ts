import { declarations } from '../wgsl.ts'

/**
 * How a workgroup is laid out. Its lanes are a grid of `down` x `across`; each has four rows of the workgroup's own tile
 * against four columns of the other tile: 16 scores. Which tile is of queries and which of keys is the kernel's matter.
 */
export interface Tiling {
  down: number
  across: number
  /** Vectors of a head, or rows of the other tile, that are in workgroup memory at once. */
  depth: number
  headSize: number
}

/** Four floats each: what a head's elements are read and written in. */
const vectorsOf = ({ headSize }: Tiling) => Math.ceil(headSize / 4)
/** Vectors of a head that a lane has, in every one of its four rows. */
const shareOf = (tiling: Tiling) => Math.ceil(vectorsOf(tiling) / tiling.across)
/** A row of a bank has one vector more than is used, so that lanes that write into neighbouring rows use different banks. */
const widthOf = (tiling: Tiling) => Math.max(4, shareOf(tiling)) * tiling.across + 1

/** Bytes of workgroup memory that the kernels take. */
export function workgroupBytes(tiling: Tiling): number {
  const { down, across, depth } = tiling
  return 16 * (depth * (4 * down + 1) + depth * widthOf(tiling) + 4 * across * (down + 1)) + 4
}

/** Text for each of `count` things, so that what a lane holds is in named variables: an array would not be in registers. */
const each = (count: number, text: (n: number) => string) => Array.from({ length: count }, (_, n) => text(n)).join('\n')
const members = ['x', 'y', 'z', 'w']

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
function common(tiling: Tiling, { heads, reads, outputs, writes }: Bindings): string {
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
const main = ({ down, across }: Tiling, tile: string, body: string) => `
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

/** Columns j, j + across, ... of a lane: the text for each, n counting them and `column` being the place in the tile. */
const columns = ({ across }: Tiling, text: (n: number, column: string) => string) =>
  each(4, (n) => text(n, `j + ${n * across}u`))

/** The vectors that a lane has of each of its rows: the text for each, s counting them. */
const shares = (tiling: Tiling, text: (s: number, vector: string) => string) =>
  each(shareOf(tiling), (s) => text(s, `j + ${s * tiling.across}u`))

const zeros = (tiling: Tiling, name: string) =>
  each(shareOf(tiling), (s) => members.map((_, r) => `var ${name}${r}_${s} = vec4(0.0);`).join(' '))

const storeSums = (tiling: Tiling, output: string, name: string, at: string, count: string, divisor?: string) =>
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
    ${each(batch, (n) => `let e${n} = ${uneven ? `min(start + lane + ${n * lanes}u, ${elements - 1}u)` : `start + lane + ${n * lanes}u`};`)}
    ${each(batch, (n) => `let x${n} = ${load.replaceAll('ELEMENT', `e${n}`)};`)}
    ${each(batch, (n) => `${uneven ? `if (start + lane + ${n * lanes}u < ${elements}u) ` : ''}{ ${store.replaceAll('ELEMENT', `e${n}`)} = x${n}; }`)}
  }`
}

/** Where a tensor's vectors are: `at` is an expression of PLACE, a row of the tile counted from the tensor's start. */
interface Source {
  tensor: string
  at: string
}
const ofQuery = (tensor: string, head = 'head'): Source => ({ tensor, at: `query_at(row, PLACE, ${head})` })
const ofKey = (tensor: string, head = 'key_head(head)'): Source => ({ tensor, at: `key_at(row, PLACE, ${head})` })
const load = ({ tensor, at }: Source, place: string, d: string) => `load_${tensor}(${at.replace('PLACE', place)}, ${d})`

/** Adds the products of own and other rows to name0, name1, ...: a vector each of a column, of which a member is a row. */
function addDots(tiling: Tiling, name: string, own: Source, other: Source): string {
  const { down, across, depth } = tiling
  const vectors = vectorsOf(tiling)
  const taken = Math.ceil(vectors / Math.ceil(vectors / depth))
  const ragged = vectors % taken !== 0
  const d = ragged ? `min(chunk + ELEMENT % ${taken}u, VECTORS - 1u)` : `chunk + ELEMENT % ${taken}u`
  const ownVector = load(own, `own_first + ELEMENT / ${taken}u`, d)
  return `
  ${each(4, (n) => members.map((m) => `var ${name}${n}${m} = ${name}${n}.${m};`).join(' '))}
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
      ${each(4, (r) => `let a${r} = own_bank[d][i + ${r * down}u];`)}
      ${columns(tiling, (n, column) => {
        const sums = members.map((m, r) => `${name}${n}${m} = more(${name}${n}${m}, a${r}, b${n});`)
        return `let b${n} = other_bank[d][${column}];\n${sums.join(' ')}`
      })}
    }
  }
  ${each(4, (n) => `${name}${n} = vec4(${members.map((m) => `${name}${n}${m}`).join(', ')});`)}`
}

/** Puts weights name0, name1, ... into workgroup memory, where all lanes of a row find them. */
const share = (tiling: Tiling, text: (n: number) => string) => `
  workgroupBarrier();
  ${columns(tiling, (n, column) => `weights[${column}][i] = ${text(n)};`)}`

/** Adds the rows of the other tile, before `end`, to a lane's sums, by the weights that were put into workgroup memory. */
function addWeighted(tiling: Tiling, sums: string, other: Source, end: string): string {
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

const rowsOf = (text: (r: number) => string) => `vec4(${members.map((_, r) => text(r)).join(', ')})`
/** The largest of a lane's columns, for each of its rows. */
const most = (name: string) => `max(max(${name}0, ${name}1), max(${name}2, ${name}3))`

/** Starts sums name0, ... with the bias of a lane's pairs, own rows being queries, and passes over tiles that nobody sees. */
const biasOfQueries = (tiling: Tiling, less = '') => `
  ${columns(tiling, (n, column) => `var s${n} = ${rowsOf((r) => `bias_at(row, mine + ${r}u, first + ${column})`)};`)}
  if (!any_visible(${most('s')}, first / OTHER + 1u)) { continue; }
  ${less && columns(tiling, (n) => `s${n} -= ${less};`)}`

/** Query tiles from the last on: with a causal bias it looks at the most keys, and the longest work should start first. */
const queryTile = '(params.queries - 1u) / OWN - group.z'
const lastKey = 'select(params.keys, min(params.keys, own_first + OWN), params.causal == 1u)'

/** Bindings q, k, v, bias, context and logSumExp; a workgroup for every head, row and tile of queries. */
export const attentionForward = (tiling: Tiling): string => `
${common(tiling, { heads: ['q', 'k', 'v'], reads: ['bias'], outputs: ['context'], writes: ['logSumExp'] })}
${main(
  tiling,
  queryTile,
  `
  let head = group.x;
  ${zeros(tiling, 'sum')}
  var top = vec4(FAR);
  // Of a lane's own columns: the lanes' shares are added at the end.
  var weight = vec4(0.0);
  let end = ${lastKey};
  for (var first = 0u; first < end; first += OTHER) {
    ${biasOfQueries(tiling)}
    ${addDots(tiling, 's', ofQuery('q'), ofKey('k'))}
    let before = top;
    top = max(top, largest(${most('s')}, i, j));
    ${columns(tiling, (n) => `s${n} = exp(s${n} - top);`)}
    // What was summed so far was measured from a lower top.
    let shrink = exp(before - top);
    weight = weight * shrink + ((s0 + s1) + (s2 + s3));
    ${shares(tiling, (s) => members.map((m, r) => `sum${r}_${s} *= shrink.${m};`).join(' '))}
    ${share(tiling, (n) => `s${n}`)}
    ${addWeighted(tiling, 'sum', ofKey('v'), 'end')}
  }
  weight = total(weight, i, j);
  if (j == 0u) {
    ${each(4, (r) => `if (mine + ${r}u < params.queries) { logSumExp[statistic_at(row, mine + ${r}u, head)] = top[${r}] + log(weight[${r}]); }`)}
  }
  ${storeSums(tiling, 'context', 'sum', 'query_at(row, MINE, head)', 'queries', 'weight')}
`,
)}`

/** Bindings q, k, v, dy, context, bias, logSumExp, dq and delta, which is sum(dy * context) of each query and head. */
export const queryGradients = (tiling: Tiling): string => `
${common(tiling, {
  heads: ['q', 'k', 'v', 'dy', 'context'],
  reads: ['bias', 'logSumExp'],
  outputs: ['dq'],
  writes: ['delta'],
})}
${main(
  tiling,
  queryTile,
  `
  let head = group.x;
  ${zeros(tiling, 'sum')}
  var mean = vec4(0.0);
  ${each(
    4,
    (r) => `{
    let at = query_at(row, mine + ${r}u, head);
    for (var d = j; d < VECTORS; d += ${tiling.across}u) { mean[${r}] = more(mean[${r}], load_dy(at, d), load_context(at, d)); }
  }`,
  )}
  mean = total(mean, i, j);
  let log_sum = ${rowsOf((r) => `logSumExp[statistic_at(row, mine + ${r}u, head)]`)};
  if (j == 0u) {
    ${each(4, (r) => `if (mine + ${r}u < params.queries) { delta[statistic_at(row, mine + ${r}u, head)] = mean[${r}]; }`)}
  }
  let end = ${lastKey};
  for (var first = 0u; first < end; first += OTHER) {
    ${biasOfQueries(tiling, 'log_sum')}
    ${addDots(tiling, 's', ofQuery('q'), ofKey('k'))}
    ${columns(tiling, (n) => `var g${n} = -mean;`)}
    ${addDots(tiling, 'g', ofQuery('dy'), ofKey('v'))}
    ${share(tiling, (n) => `exp(s${n}) * g${n}`)}
    ${addWeighted(tiling, 'sum', ofKey('k'), 'end')}
  }
  ${storeSums(tiling, 'dq', 'sum', 'query_at(row, MINE, head)', 'queries')}
`,
)}`

/**
 * Bindings q, k, v, dy, bias, logSumExp, delta, dk and dv. Own rows are keys here and columns are queries; a key/value head
 * gathers from all query heads that read it.
 */
export const keyValueGradients = (tiling: Tiling): string => `
${common(tiling, {
  heads: ['q', 'k', 'v', 'dy'],
  reads: ['bias', 'logSumExp', 'delta'],
  outputs: ['dk', 'dv'],
  writes: [],
})}
${main(
  tiling,
  'group.z',
  `
  let own_head = group.x;
  ${zeros(tiling, 'key_sum')}
  ${zeros(tiling, 'value_sum')}
  let tiles = (params.queries + OTHER - 1u) / OTHER;
  for (var shared_head = 0u; shared_head < params.shared_by; shared_head++) {
    let head = own_head * params.shared_by + shared_head;
    // With a causal bias no query before the first key sees any.
    for (var tile = select(0u, own_first / OTHER, params.causal == 1u); tile < tiles; tile++) {
      let first = tile * OTHER;
      ${columns(tiling, (n, column) => `var s${n} = ${rowsOf((r) => `bias_at(row, first + ${column}, mine + ${r}u)`)};`)}
      if (!any_visible(${most('s')}, shared_head * tiles + tile + 1u)) { continue; }
      ${columns(tiling, (n, column) => `let at${n} = statistic_at(row, first + ${column}, head);\ns${n} -= vec4(logSumExp[at${n}]);`)}
      ${addDots(tiling, 's', ofKey('k', 'own_head'), ofQuery('q'))}
      ${columns(tiling, (n) => `s${n} = exp(s${n});`)}
      ${columns(tiling, (n) => `var g${n} = vec4(-delta[at${n}]);`)}
      ${addDots(tiling, 'g', ofKey('v', 'own_head'), ofQuery('dy'))}
      ${share(tiling, (n) => `s${n}`)}
      ${addWeighted(tiling, 'value_sum', ofQuery('dy'), 'params.queries')}
      ${share(tiling, (n) => `s${n} * g${n}`)}
      ${addWeighted(tiling, 'key_sum', ofQuery('q'), 'params.queries')}
    }
  }
  ${storeSums(tiling, 'dk', 'key_sum', 'key_at(row, MINE, own_head)', 'keys')}
  ${storeSums(tiling, 'dv', 'value_sum', 'key_at(row, MINE, own_head)', 'keys')}
`,
)}`
