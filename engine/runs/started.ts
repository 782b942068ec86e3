import type { Choice } from '../backends/choose.ts'
import type { EngineEvent, Job } from '../contract/index.ts'

/** What a job says once its back end is chosen. */
export const startedOf = (job: Job, { name, threads, device, refused }: Choice): EngineEvent => ({
  type: 'started',
  job,
  backend: name,
  threads,
  device,
  refused,
})
