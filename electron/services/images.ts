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

/** What runs said of images, and the images. */
export function imageHandlers(context: Context): Handlers<keyof Handlers & `images.${string}`> {
  const { engine } = context
  return {
    'images.compare': async ({ before, after, ...filter }) =>
      await engine.request('compareImages', {
        ...filter,
        ...(before && { before: await scoredIn(context, before) }),
        after: await scoredIn(context, after),
      }),
    'images.thumbnails': async ({ images }) => {
      const named = images.map(({ file, row }) => ({ file, ...(row !== null && { row }) }))
      const found = await engine.request('fileThumbnails', { images: named })
      return found.map((one) =>
        'error' in one ? { dataUrl: '', problem: one.error.message } : { dataUrl: one.dataUrl },
      )
    },
  }
}
