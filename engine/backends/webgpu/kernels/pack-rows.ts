import type { TensorInfo } from '../../../tensor/tf.ts'
import type { CardBackend } from '../backend.ts'
import { dispatch, groupsFor, output } from '../record.ts'
import { pack } from './weight-wgsl.ts'
import { declarations, lanesFor, reductions, rowwise } from '../wgsl.ts'

/**
 * Rows as 16-bit floats, each times a power of two that brings its largest magnitude below 1, so that small gradients are not
 * lost. Rows are filled up with zeros, so that no tile's depth ends within one.
 */
export interface PackedRows {
  data: TensorInfo
  /** The power of two of every row. */
  scales: TensorInfo
  /** Vectors of eight elements in a row. */
  stride: number
}

/** Elements of a packed row are a multiple of this: of the depth of every tile. */
export const packedMultiple = 192

const code = (lanes: number, aligned: boolean) => `
${declarations(
  [['x', aligned ? 'vec4<f32>' : 'f32']],
  [
    ['packed', 'vec4<u32>'],
    ['scales', 'f32'],
  ],
  [
    ['rows', 'u32'],
    ['size', 'u32'],
    ['stride', 'u32'],
  ],
)}
${reductions(lanes)}
${pack}
fn scale_of(magnitude: f32) -> f32 {
  if (!(magnitude > 0.0 && magnitude < 3.0e38)) { return 1.0; }
  return exp2(-clamp(floor(log2(magnitude)) + 1.0, -120.0, 120.0));
}
fn four(row: u32, column: u32) -> vec4<f32> {
  if (column >= params.size) { return vec4<f32>(0.0); }
  let at = row * params.size + column;
  ${
    aligned
      ? 'return x[at / 4u];'
      : `var values = vec4<f32>(x[at], 0.0, 0.0, 0.0);
  if (column + 1u < params.size) { values.y = x[at + 1u]; }
  if (column + 2u < params.size) { values.z = x[at + 2u]; }
  if (column + 3u < params.size) { values.w = x[at + 3u]; }
  return values;`
  }
}
${rowwise(
  lanes,
  `
  var top = vec4<f32>(0.0);
  for (var c = lane * 4u; c < params.size; c += LANES * 4u) { top = max(top, abs(four(row, c))); }
  let scale = scale_of(largest(max(max(top.x, top.y), max(top.z, top.w)), lane));
  if (lane == 0u) { scales[row] = scale; }
  for (var v = lane; v < params.stride; v += LANES) {
    packed[row * params.stride + v] = pack(four(row, v * 8u) * scale, four(row, v * 8u + 4u) * scale);
  }
`,
)}`

/** x [m, width] in packed rows; dispose of them with `disposePacked`. */
export function packRows(backend: CardBackend, x: TensorInfo, m: number, width: number): PackedRows {
  const stride = (Math.ceil(width / packedMultiple) * packedMultiple) / 8
  const data = output(backend, [m, stride * 4], 'int32')
  const scales = output(backend, [m])
  const lanes = lanesFor(width / 4)
  const aligned = width % 4 === 0
  dispatch(
    backend,
    { key: `packRows ${lanes} ${aligned}`, code: () => code(lanes, aligned) },
    [x, data, scales],
    [m, width, stride],
    groupsFor(m, 1),
  )
  return { data, scales, stride }
}

export function disposePacked(backend: CardBackend, { data, scales }: PackedRows): void {
  backend.disposeData(data.dataId)
  backend.disposeData(scales.dataId)
}
