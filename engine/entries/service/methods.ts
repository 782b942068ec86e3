import type { ParsedServiceParams, ServiceMethod, ServicePart, ServiceResult } from '../../contract/index.ts'
import type { WorkControl } from '../../shared/work-control.ts'

export type Handler<Method extends ServiceMethod> = (
  params: ParsedServiceParams<Method>,
  control: WorkControl & { send: (part: ServicePart<Method>) => void },
) => ServiceResult<Method> | Promise<ServiceResult<Method>>

/** The methods, each loaded when it is first asked for: most need no tensors, and must not wait for them to load. */
export const handlers: { [Method in ServiceMethod]: () => Promise<Handler<Method>> } = {
  inspect: async () => (await import('../../jobs/inspect-folder.ts')).inspectFolder,
  hash: async () => (await import('../../checkpoint/hash.ts')).hashFolder,
  findModels: async () => (await import('../../jobs/find-models.ts')).findModels,
  copyFiles: async () => (await import('../../checkpoint/copy-files.ts')).copyFiles,
  fits: async () => (await import('../../estimate/fits.ts')).fitsHere,
  detectDataset: async () => (await import('../../datasets/detect.ts')).detectDataset,
  previewDataset: async () => (await import('../../datasets/preview.ts')).previewDataset,
  tokenLengths: async () => (await import('../../datasets/token-lengths.ts')).tokenLengths,
  describeImages: async () => (await import('../../datasets/describe-images.ts')).describeImages,
  checkImages: async () => (await import('../../datasets/check-images.ts')).checkImages,
  seenImages: async () => (await import('../../datasets/seen-images.ts')).seenImages,
  imageThumbnails: async () => (await import('../../datasets/thumbnails.ts')).imageThumbnails,
  fileThumbnails: async () => (await import('../../datasets/file-thumbnails.ts')).fileThumbnails,
  estimate: async () => (await import('../../estimate/any-job.ts')).estimateAnyJob,
  checkData: async () => (await import('../../estimate/check-data.ts')).checkData,
  devices: async () => (await import('../../backends/devices.ts')).knownDevices,
  planBudgets: async () => (await import('../../runs/plan.ts')).planBudgets,
  planSweep: async () => (await import('../../sweeps/expand.ts')).planSweep,
  readSweep: async () => (await import('../../sweeps/read-sweep.ts')).readSweep,
  reportSweep: async () => (await import('../../sweeps/read-sweep.ts')).reportSweep,
  cluster: async () => (await import('../../runners/wherever.ts')).clusterReport,
  cancelSweep: async () => (await import('../../runners/wherever.ts')).cancelSweep,
  readTask: async () => (await import('../../runners/slurm/read-task.ts')).readTask,
  compareImages: async () => (await import('../../runs/compare-images.ts')).compareImages,
  compareChoices: async () => (await import('../../runs/compare-choices.ts')).compareChoices,
  loadModel: async () => (await import('../../playground/held-models.ts')).loadModel,
  writeText: async () => (await import('../../playground/held-models.ts')).writeText,
  releaseModels: async () => (await import('../../playground/held-models.ts')).releaseModels,
  llamaCppBuilds: async () => {
    const { listBuilds } = await import('../../llama-cpp/list-builds.ts')
    return (_, control) => listBuilds(control)
  },
  keptFiles: async () => (await import('../../llama-cpp/kept-files.ts')).tellOfKeptFiles,
  measureSpeeds: async () => (await import('../../jobs/speed.ts')).measuredSpeeds,
  readRunFolder: async () => (await import('../../runs/run-report.ts')).readRunFolder,
}
