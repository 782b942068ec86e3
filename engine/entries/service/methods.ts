import type { z } from 'zod'
import type { ServiceMethod, serviceMethods, ServiceResult } from '../../contract/index.ts'

/** What a method is run with besides its parameters. */
export interface RequestContext {
  signal: AbortSignal
  progress: (done: number, total: number) => void
}

export type Parsed<Method extends ServiceMethod> = z.output<(typeof serviceMethods)[Method]['params']>
export type Handler<Method extends ServiceMethod> = (
  params: Parsed<Method>,
  context: RequestContext,
) => ServiceResult<Method> | Promise<ServiceResult<Method>>

/** The methods, each loaded when it is first asked for: most need no tensors, and must not wait for them to load. */
export const handlers: { [Method in ServiceMethod]: () => Promise<Handler<Method>> } = {
  inspect: async () => (await import('./inspect.ts')).inspectFolder,
  hash: async () => (await import('./hash.ts')).hashFolder,
  detectDataset: async () => (await import('./detect.ts')).detectDataset,
  previewDataset: async () => (await import('./preview.ts')).previewDataset,
  tokenLengths: async () => (await import('./token-lengths.ts')).tokenLengths,
  imageThumbnails: async () => (await import('./thumbnails.ts')).imageThumbnails,
  estimate: async () => (await import('./estimate.ts')).estimate,
  devices: async () => (await import('./devices.ts')).devices,
  planSweep: async () => (await import('./sweep.ts')).planSweep,
  readSweep: async () => (await import('./sweep.ts')).readSweep,
  reportSweep: async () => (await import('./sweep.ts')).reportSweep,
  readRunFolder: async () => (await import('./run-report.ts')).readRunFolder,
}
