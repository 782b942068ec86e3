import type { FrozenForm, FrozenWeight } from '../../../frozen-weight.ts'
import type { Tensor, TensorInfo } from '../../../tf.ts'
import { bufferOf } from '../backend.ts'
import { dispatch, output, register } from '../record.ts'
import { type CardWeight, weightsOf } from '../weights.ts'
import { declarations, floats } from '../wgsl.ts'
import { weightReaders } from './weight-wgsl.ts'

interface Attributes {
  weight: FrozenWeight | Tensor
  scale: number
  power: 1 | 2
  along: 'rows' | 'columns'
}

/** Lines that a workgroup adds up, and lanes that share a line. */
const [lines, lanes] = [8, 16]

// Each element of the importance is formed where it is added up; no matrix of it is ever stored.
const code = (form: FrozenForm, power: 1 | 2, along: 'rows' | 'columns') => `
${declarations(
  [['weight', 'u32'], ...(form === 'int8' ? floats('scales') : []), ...floats('a', 'b', 'gradient_a', 'gradient_b')],
  floats('sums'),
  [
    ['columns', 'u32'],
    ['start', 'u32'],
    ['rows', 'u32'],
    ['rank', 'u32'],
    ['more', 'u32'],
    ['scale', 'f32'],
  ],
)}
${weightReaders[form]}
const LINES = ${lines}u;
const LANES = ${lanes}u;
var<workgroup> partial: array<f32, ${lines * lanes}>;
fn importance(part_row: u32, column: u32) -> f32 {
  let row = params.start + part_row;
  var merged = weight_one(part_row * params.columns + column)${form === 'int8' ? ' * scales[row]' : ''};
  var estimate = 0.0;
  for (var r = 0u; r < params.rank; r++) {
    let left = b[row * params.rank + r];
    let left_gradient = gradient_b[row * params.rank + r];
    let right = a[r * params.columns + column];
    merged += params.scale * left * right;
    estimate += left_gradient * right + (left - left_gradient) * gradient_a[r * params.columns + column];
  }
  let value = estimate * merged;
  return ${power === 1 ? 'abs(value)' : 'value * value'};
}
@compute @workgroup_size(${lines * lanes})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  ${
    along === 'rows'
      ? `
  // Neighbouring lanes read neighbouring columns of a row.
  let within = lane % LANES;
  let slot = lane / LANES;
  let line = (group.x + group.y * 65535u) * LINES + slot;
  let count = params.rows;
  let length = params.columns;`
      : `
  let slot = lane % LINES;
  let within = lane / LINES;
  let line = (group.x + group.y * 65535u) * LINES + slot;
  let count = params.columns;
  let length = params.rows;`
  }
  var sum = 0.0;
  if (line < count) {
    for (var i = within; i < length; i += LANES) { sum += ${along === 'rows' ? 'importance(line, i)' : 'importance(i, line)'}; }
  }
  partial[slot * LANES + within] = sum;
  workgroupBarrier();
  if (within != 0u || line >= count) { return; }
  var all = 0.0;
  for (var l = 0u; l < LANES; l++) { all += partial[slot * LANES + l]; }
  ${along === 'rows' ? 'sums[params.start + line] = all;' : 'if (params.more == 1u) { all += sums[line]; } sums[line] = all;'}
}
`

export function registerImportance(): void {
  register<Attributes>('GroupImportance', ({ inputs, attributes, backend }) => {
    const { weight, scale, power, along } = attributes
    const { a, b, gradientA, gradientB } = inputs as Record<string, TensorInfo>
    const [rank, columns] = a!.shape as [number, number]
    const rows = b!.shape[0]!
    const trained = 'dataId' in weight
    const { parts, scales }: Pick<CardWeight, 'parts' | 'scales'> = trained
      ? { parts: [{ buffer: bufferOf(backend, weight), start: 0, rows }], scales: null }
      : weightsOf(backend).get(weight)
    const form = trained ? 'float32' : weight.form
    const sums = output(backend, [along === 'rows' ? rows : columns])
    for (const [index, part] of parts.entries()) {
      const groups = Math.ceil((along === 'rows' ? part.rows : columns) / lines)
      dispatch(
        backend,
        { key: `importance ${form} ${power} ${along}`, code: () => code(form, power, along) },
        [part.buffer, ...(scales ? [scales] : []), a!, b!, gradientA!, gradientB!, sums],
        [columns, part.start, part.rows, rank, index > 0 ? 1 : 0, { float: scale }],
        [Math.min(groups, 65535), Math.ceil(groups / 65535)],
      )
    }
    return sums
  })
}
