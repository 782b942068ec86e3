import { type FrozenWeight } from '../../../tensor/frozen-weight.ts'
import type { TensorInfo } from '../../../tensor/tf.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, groupsFor, output, register, sizeOf } from '../record.ts'
import { weightsOf } from '../weights.ts'
import { declarations, elementwise, floats } from '../wgsl.ts'
import { weightReaders } from './weight-wgsl.ts'

// Each part of the weight fills the rows that it holds.
const code = (form: FrozenWeight['form'], picked: boolean) => `
${declarations(
  [
    ['weight', 'u32'],
    ...(form === 'int8' ? floats('scales') : []),
    ...(picked ? ([['indices', 'i32']] as const) : []),
  ].map(([name, type]) => [name!, type!] as [string, string]),
  floats('y'),
  [
    ['count', 'u32'],
    ['columns', 'u32'],
    ['first', 'u32'],
    ['start', 'u32'],
    ['rows', 'u32'],
    ['stride', 'u32'],
  ],
)}
${weightReaders[form]}
${elementwise(`
  let place = index / params.columns;
  let row = ${picked ? 'u32(indices[place])' : 'params.first + place'};
  if (row < params.start || row >= params.start + params.rows) { return; }
  let value = weight_one((row - params.start) * params.stride + index % params.columns);
  y[index] = value${form === 'int8' ? ' * scales[row]' : ''};
`)}`

function rowsOf(
  backend: CardBackend,
  weight: FrozenWeight,
  shape: number[],
  first: number,
  indices: TensorInfo | null,
): TensorInfo {
  const y = output(backend, shape)
  const count = sizeOf(shape)
  const { parts, stride, scales } = weightsOf(backend).get(weight)
  for (const { buffer, start, rows } of parts)
    dispatch(
      backend,
      {
        key: `rows ${weight.form} ${indices !== null}`,
        code: () => code(weight.form, indices !== null),
      },
      [buffer, ...(scales ? [scales] : []), ...(indices ? [indices] : []), y],
      [count, weight.columns, first, start, rows, stride],
      groupsFor(count, 256),
    )
  return y
}

/** Rows of a frozen weight as a tensor: those that are picked, or a run of them. */
export function registerFrozenRows(): void {
  register('FrozenRows', ({ inputs, attributes: { weight }, backend }) => {
    const indices = inputs.indices!
    return rowsOf(backend, weight, [...indices.shape, weight.columns], 0, indices)
  })
  register('FrozenTile', ({ attributes, backend }) => {
    const { weight, start, rows } = attributes
    return rowsOf(backend, weight, [rows, weight.columns], start, null)
  })
}
