import type { ExportSafetensorsJob } from '../contract/index.ts'
import type { WeightType } from '../tensor/stored-tensor.ts'

const types = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' } as const

/** The type of written weights that a job asks for; `own` is that of the checkpoint. */
export const weightTypeFor = (dtype: ExportSafetensorsJob['dtype'], own: WeightType): WeightType =>
  dtype === 'same' ? own : types[dtype]
