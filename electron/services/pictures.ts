import type { ScoredByRun } from '../contract/index.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import type { Context } from './context.ts'
import type { Handlers } from './handlers.ts'
import { rowOf } from './run-summary.ts'

/** What runs said of pictures, and the pictures. */
export function pictureHandlers(context: Context): Handlers<keyof Handlers & `pictures.${string}`> {
  const { engine, options } = context
  const folderOf = async ({ run, which }: ScoredByRun) => {
    const { folder } = rowOf(context, run)
    await requireAllowedWithin(options.platform, [folder])
    return { path: folder, which }
  }
  return {
    'pictures.compare': async ({ before, after, ...filter }) =>
      await engine.request('comparePictures', {
        ...filter,
        ...(before && { before: await folderOf(before) }),
        after: await folderOf(after),
      }),
    'pictures.thumbnails': async ({ pictures }) => {
      const named = pictures.map(({ file, row }) => ({ file, ...(row !== null && { row }) }))
      const found = await engine.request('pictureThumbnails', { pictures: named })
      return found.map((one) =>
        'error' in one ? { dataUrl: '', problem: one.error.message } : { dataUrl: one.dataUrl },
      )
    },
  }
}
