import type { Dataset } from '../../../../electron/contract/index.ts'
import { call } from '../../client/index.ts'
import { choosePath } from '../../components/choose-path.svelte.ts'
import { attempt } from '../../state/attempt.ts'
import { toasts } from '../../state/toasts.svelte.ts'

/** Takes a data set off the list; its files are left alone, and it can be undone. Tells whether it was done. */
export async function remove({ id, name }: Dataset): Promise<boolean> {
  const done = await attempt(() => call('datasets.remove', { id }))
  if (done) {
    toasts.undoable(`${name} was taken off the list; its files are where they were.`, () =>
      call('datasets.restore', { id }),
    )
  }
  return done
}

/** Lets the user say where a data set is now. */
export async function relocate({ id, name, format, path: from }: Dataset): Promise<void> {
  const path = await choosePath(
    format === 'images' && !/\.txt$/i.test(from) ? 'folder' : 'file',
    `Where is ${name} now?`,
  )
  if (path && (await attempt(() => call('datasets.relocate', { id, path })))) {
    toasts.show({ level: 'success', message: `${name} is now read from ${path}.` })
  }
}
