import type { ExportGgufJob, ExportJob } from '../contract/index.ts'
import { isQuantised } from './gguf/tensor-types.ts'

/** Whether a text is run that weights are rounded for. */
export const calibrates = (job: ExportJob): job is ExportGgufJob & { calibrate: string } =>
  job.format === 'gguf' && job.calibrate !== undefined && isQuantised(job.type)
