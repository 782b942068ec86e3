import { dispatch, register } from '../record.ts'
import { declarations, floats, reductions, rowwise } from '../wgsl.ts'
import { scalarOf } from './cross-entropy.ts'
import { product } from './product.ts'
import { rmsNorm } from './rms-norm.ts'
import { throughHead } from './through-head.ts'

/*
 * The student's logits become their own gradient where they lie, as in HeadLoss. Each lane runs through its share of a row
 * once for three sums of exponentials, measured from the largest logit met so far, and once more to write: of the student at
 * temperature 1, and of student and teacher at that of the teacher's part. `apart` is the sum of q (teacher - student), from
 * which the divergence follows: KL = apart - logSum(teacher) + logSum(student).
 */
const gradientInPlace = (lanes: number) => `
${declarations([['labels', 'i32'], ...floats('teacher')], floats('logits', 'likelihood'), [
  ['rows', 'u32'],
  ['size', 'u32'],
  ['divisor', 'f32'],
  ['share', 'f32'],
  ['temperature', 'f32'],
])}
${reductions(lanes)}
${rowwise(
  lanes,
  `
  let start = row * params.size;
  let label = labels[row];
  let cool = 1.0 / params.temperature;
  var top = -3.0e38;
  var sum = 0.0;
  var coolSum = 0.0;
  var taughtTop = -3.0e38;
  var taughtSum = 0.0;
  var apart = 0.0;
  for (var i = lane; i < params.size; i += LANES) {
    let value = logits[start + i];
    if (value > top) {
      sum *= exp(top - value);
      coolSum *= exp((top - value) * cool);
      top = value;
    }
    sum += exp(value - top);
    coolSum += exp((value - top) * cool);
    let taught = teacher[start + i];
    if (taught > taughtTop) {
      let less = exp((taughtTop - taught) * cool);
      taughtSum *= less;
      apart *= less;
      taughtTop = taught;
    }
    let weight = exp((taught - taughtTop) * cool);
    taughtSum += weight;
    apart += weight * (taught - value) * cool;
  }
  let all = largest(top, lane);
  let logSum = all + log(total(sum * exp(top - all), lane));
  let coolLogSum = all * cool + log(total(coolSum * exp((top - all) * cool), lane));
  let taughtAll = largest(taughtTop, lane);
  let less = exp((taughtTop - taughtAll) * cool);
  let taughtTotal = total(taughtSum * less, lane);
  let taughtLogSum = taughtAll * cool + log(taughtTotal);
  let divergence = total(apart * less, lane) / taughtTotal - taughtLogSum + coolLogSum;
  if (lane == 0u) {
    let surprise = logSum - logits[start + u32(max(label, 0))];
    let loss = (1.0 - params.share) * surprise + params.share * params.temperature * params.temperature * divergence;
    likelihood[row] = select(0.0, -loss, label >= 0);
  }
  // The label's logit is read before any lane writes.
  workgroupBarrier();
  let weight = select(0.0, 1.0 / params.divisor, label >= 0);
  for (var i = lane; i < params.size; i += LANES) {
    let value = logits[start + i];
    let hit = select(0.0, 1.0, i32(i) == label);
    let fromLabel = (1.0 - params.share) * (exp(value - logSum) - hit);
    let p = exp(value * cool - coolLogSum);
    let q = exp(teacher[start + i] * cool - taughtLogSum);
    logits[start + i] = (fromLabel + params.share * params.temperature * (p - q)) * weight;
  }
`,
)}`

/** A loss against labels and a teacher together with both heads' products, for as many rows as the caller takes at once. */
export function registerDistilLoss(): void {
  register('DistilLoss', ({ inputs, attributes, backend }) => {
    const { teacherWeight, teacherEpsilon, share, temperature } = attributes
    const divisor = scalarOf(backend, inputs.divisor!)
    const [normed, inverse] = rmsNorm(backend, inputs.teacher!, inputs.teacherNorm!, teacherEpsilon)
    const taught = product(backend, normed, teacherWeight, { transposed: false })
    backend.disposeData(normed.dataId)
    backend.disposeData(inverse.dataId)
    return throughHead(backend, inputs, attributes, divisor, ({ logits, likelihood, uniforms, lanes, groups }) => {
      dispatch(
        backend,
        { key: `distilGradientInPlace ${lanes}`, code: () => gradientInPlace(lanes) },
        [inputs.labels!, taught, logits, likelihood],
        [...uniforms, { float: share }, { float: temperature }],
        groups,
      )
      backend.disposeData(taught.dataId)
    })
  })
}
