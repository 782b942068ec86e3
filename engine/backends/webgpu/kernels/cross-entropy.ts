import type { TensorInfo } from '../../../tensor/tf.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, groupsFor, output, register, sizeOf } from '../record.ts'
import { declarations, elementwise, floats, lanesFor, reductions, rowwise } from '../wgsl.ts'

// log softmax(logits)[label] of a row, 0 where the label is -1; the soft-max itself is never stored.
const rowLikelihoods = (lanes: number) => `
${declarations([...floats('logits'), ['labels', 'i32']], floats('likelihood', 'logSumExp'), [
  ['rows', 'u32'],
  ['size', 'u32'],
])}
${reductions(lanes)}
${rowwise(
  lanes,
  `
  let start = row * params.size;
  var top = -3.0e38;
  for (var i = lane; i < params.size; i += LANES) { top = max(top, logits[start + i]); }
  top = largest(top, lane);
  var sum = 0.0;
  for (var i = lane; i < params.size; i += LANES) { sum += exp(logits[start + i] - top); }
  let logSum = top + log(total(sum, lane));
  if (lane == 0u) {
    logSumExp[row] = logSum;
    let label = labels[row];
    likelihood[row] = select(0.0, logits[start + u32(max(label, 0))] - logSum, label >= 0);
  }
`,
)}`

const negativeSum = (lanes: number) => `
${declarations(floats('values'), floats('result'), [
  ['rows', 'u32'],
  ['count', 'u32'],
  ['divisor', 'f32'],
])}
${reductions(lanes)}
${rowwise(
  lanes,
  `
  var sum = 0.0;
  for (var i = lane; i < params.count; i += LANES) { sum += values[i]; }
  let all = total(sum, lane);
  if (lane == 0u) { result[0] = -all / params.divisor; }
`,
)}`

const gradient = () => `
${declarations([...floats('dy', 'logits'), ['labels', 'i32'], ...floats('logSumExp')], floats('dLogits'), [
  ['count', 'u32'],
  ['size', 'u32'],
  ['divisor', 'f32'],
])}
${elementwise(`
  let row = index / params.size;
  let label = labels[row];
  let hit = select(0.0, 1.0, i32(index % params.size) == label);
  let weight = select(0.0, dy[0] / params.divisor, label >= 0);
  dLogits[index] = (exp(logits[index] - logSumExp[row]) - hit) * weight;
`)}`

function likelihoods(backend: CardBackend, logits: TensorInfo, labels: TensorInfo): [TensorInfo, TensorInfo] {
  const [rows, size] = logits.shape as [number, number]
  const lanes = lanesFor(size)
  const likelihood = output(backend, [rows])
  const logSumExp = output(backend, [rows])
  dispatch(
    backend,
    { key: `rowLikelihoods ${lanes}`, code: () => rowLikelihoods(lanes) },
    [logits, labels, likelihood, logSumExp],
    [rows, size],
    groupsFor(rows, 1),
  )
  return [likelihood, logSumExp]
}

/** The value of a scalar that was created on the host, where its value still is. */
export const scalarOf = (backend: CardBackend, { dataId }: TensorInfo): { float: number } => ({
  float: (backend.readSync(dataId) as Float32Array)[0]!,
})

/** -sum(likelihood) / divisor, a scalar. Disposes of `likelihood` [rows]. */
export function lossOf(backend: CardBackend, likelihood: TensorInfo, divisor: { float: number }): TensorInfo {
  const loss = output(backend, [])
  const count = sizeOf(likelihood.shape)
  const lanes = lanesFor(count)
  dispatch(
    backend,
    { key: `negativeSum ${lanes}`, code: () => negativeSum(lanes) },
    [likelihood, loss],
    [1, count, divisor],
    [1],
  )
  backend.disposeData(likelihood.dataId)
  return loss
}

export function registerCrossEntropy(): void {
  register('CrossEntropy', ({ inputs, backend }) => {
    const [likelihood, logSumExp] = likelihoods(backend, inputs.logits!, inputs.labels!)
    return [lossOf(backend, likelihood, scalarOf(backend, inputs.divisor!)), logSumExp]
  })
  register('CrossEntropyGrad', ({ inputs, backend }) => {
    const logits = inputs.logits!
    const count = sizeOf(logits.shape)
    const dLogits = output(backend, logits.shape)
    dispatch(
      backend,
      { key: 'CrossEntropyGrad', code: gradient },
      [inputs.dy!, logits, inputs.labels!, inputs.logSumExp!, dLogits],
      [count, logits.shape[1]!, scalarOf(backend, inputs.divisor!)],
      groupsFor(count, 256),
    )
    return dLogits
  })
  register('LabelLogLikelihoods', ({ inputs, backend }) => {
    const [likelihood, logSumExp] = likelihoods(backend, inputs.logits!, inputs.labels!)
    backend.disposeData(logSumExp.dataId)
    return likelihood
  })
}
