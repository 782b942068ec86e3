import { register } from '../record.ts'
import { changeable, changeInPlace } from './in-place.ts'

/** Many tensors times one number, in place. */
export function registerScaleAll(): void {
  register('ScaleAll', ({ inputs: { factor, ...tensors }, backend }) => {
    const scaled = Object.values(tensors).map((tensor) => ({ x: changeable(backend, tensor!) }))
    const float = (backend.readSync(factor!.dataId) as Float32Array)[0]!
    changeInPlace(
      backend,
      {
        key: 'ScaleAll',
        reads: [],
        changes: ['x'],
        settings: [['factor', 'f32']],
        body: (of) => `${of('x')} *= params.factor;`,
      },
      scaled,
      [{ float }],
    )
    return scaled.map(({ x }) => x)
  })
}
