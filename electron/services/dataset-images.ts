import type { DatasetRow } from '../database/datasets.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import type { Context } from './context.ts'
import type { Handlers } from './handlers.ts'
import type { Library } from './library.ts'

export type ImageMethod = 'datasets.images' | 'datasets.checkImages' | 'datasets.thumbnails' | 'datasets.seenImages'

/** Data sets of labelled images, looked at by the engine. */
export function datasetImageHandlers(
  { engine, tasks, options }: Context,
  library: Library,
  datasets: { row(id: number): DatasetRow },
): Handlers<ImageMethod> {
  /** What is registered may have become a link, or have got one in it, since it was looked at. */
  const allowed = async (...paths: string[]) => requireAllowedWithin(options.platform, paths)
  return {
    'datasets.images': async ({ id }) => {
      const { path } = datasets.row(id)
      await allowed(path)
      return await engine.request('describeImages', { path })
    },
    'datasets.checkImages': async ({ id }) => {
      const { path, name } = datasets.row(id)
      await allowed(path)
      return await tasks.run(
        { kind: 'check', title: `Looking at all images of ${name}`, subject: { kind: 'dataset', id } },
        (control) => engine.request('checkImages', { path }, control),
      )
    },
    'datasets.thumbnails': async ({ id, ...asked }) => {
      const { path } = datasets.row(id)
      await allowed(path)
      return await engine.request('imageThumbnails', { path, ...asked })
    },
    'datasets.seenImages': async ({ id, checkpoint: by, ...asked }) => {
      const { path } = datasets.row(id)
      const checkpoint = library.row(by).path
      await allowed(path, checkpoint)
      return await engine.request('seenImages', { path, checkpoint, ...asked })
    },
  }
}
