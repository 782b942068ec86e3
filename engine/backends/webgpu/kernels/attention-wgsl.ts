import { addDots, addWeighted, common, main, ofKey, ofQuery, share, storeSums, zeros } from './attention-tiles-wgsl.ts'
import { columns, members, shares, type Tiling } from './attention-tiling.ts'
import { lines } from './shared-bindings.ts'

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
    ${lines(4, (r) => `if (mine + ${r}u < params.queries) { logSumExp[statistic_at(row, mine + ${r}u, head)] = top[${r}] + log(weight[${r}]); }`)}
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
  ${lines(
    4,
    (r) => `{
    let at = query_at(row, mine + ${r}u, head);
    for (var d = j; d < VECTORS; d += ${tiling.across}u) { mean[${r}] = more(mean[${r}], load_dy(at, d), load_context(at, d)); }
  }`,
  )}
  mean = total(mean, i, j);
  let log_sum = ${rowsOf((r) => `logSumExp[statistic_at(row, mine + ${r}u, head)]`)};
  if (j == 0u) {
    ${lines(4, (r) => `if (mine + ${r}u < params.queries) { delta[statistic_at(row, mine + ${r}u, head)] = mean[${r}]; }`)}
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
