import { dispatch, register } from '../record.ts'
import { declarations, floats, reductions, rowwise } from '../wgsl.ts'
import { scalarOf } from './cross-entropy.ts'
import { throughHead } from './through-head.ts'

/*
 * Logits become their own gradient where they lie: the soft-max of a row is never stored beside them. Each lane runs through
 * its share of a row once for the top and the sum measured from it, and once more to write; only then is a row's label met.
 */
const gradientInPlace = (lanes: number) => `
${declarations([['labels', 'i32']], floats('logits', 'likelihood'), [
  ['rows', 'u32'],
  ['size', 'u32'],
  ['divisor', 'f32'],
])}
${reductions(lanes)}
${rowwise(
  lanes,
  `
  let start = row * params.size;
  let label = labels[row];
  var top = -3.0e38;
  var sum = 0.0;
  for (var i = lane; i < params.size; i += LANES) {
    let value = logits[start + i];
    if (value > top) {
      sum *= exp(top - value);
      top = value;
    }
    sum += exp(value - top);
  }
  let all = largest(top, lane);
  let logSum = all + log(total(sum * exp(top - all), lane));
  if (lane == 0u) {
    likelihood[row] = select(0.0, logits[start + u32(max(label, 0))] - logSum, label >= 0);
  }
  // The label's logit is read before any lane writes.
  workgroupBarrier();
  let weight = select(0.0, 1.0 / params.divisor, label >= 0);
  for (var i = lane; i < params.size; i += LANES) {
    let hit = select(0.0, 1.0, i32(i) == label);
    logits[start + i] = (exp(logits[start + i] - logSum) - hit) * weight;
  }
`,
)}`

/** Cross-entropy together with the head's products, for as many rows as the caller takes at once. */
export function registerHeadLoss(): void {
  register('HeadLoss', ({ inputs, attributes, backend }) =>
    throughHead(
      backend,
      inputs,
      attributes,
      scalarOf(backend, inputs.divisor!),
      ({ logits, likelihood, uniforms, lanes, groups }) =>
        dispatch(
          backend,
          { key: `gradientInPlace ${lanes}`, code: () => gradientInPlace(lanes) },
          [inputs.labels!, logits, likelihood],
          uniforms,
          groups,
        ),
    ),
  )
}
