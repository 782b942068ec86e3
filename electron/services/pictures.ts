import type { ScoredByRun } from '../contract/index.ts'
import { requireAllowedWithin } from './allowed-paths.ts'
import type { Context } from './context.ts'
import type { Handlers } from './handlers.ts'
import { rowOf } from './run-summary.ts'

/** The folder where a run keeps what a checkpoint said. */
export async function scoredIn(context: Context, { run, which }: ScoredByRun) {
  const { folder } = rowOf(context, run)
  await requireAllowedWithin(context.options.platform, [folder])
  return { path: folder, which }
}

/** What runs said of pictures, and the pictures. */
export function pictureHandlers(context: Context): Handlers<keyof Handlers & `pictures.${string}`> {
  const { engine } = context
  return {
    'pictures.compare': async ({ before, after, ...filter }) =>
      await engine.request('comparePictures', {
        ...filter,
        ...(before && { before: await scoredIn(context, before) }),
        after: await scoredIn(context, after),
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
