import { download } from '../../charts/download.ts'
import { call } from '../../client/index.ts'
import { choosePath } from '../../components/choose-path.svelte.ts'
import { router } from '../../router/router.svelte.ts'
import { attempt } from '../../state/attempt.ts'
import { toasts } from '../../state/toasts.svelte.ts'
import type { AskedFilter } from './history-filter.ts'

/** Takes a chosen run folder or archive of a run into the history. */
export async function importRun(path: string, kind: 'folder' | 'archive'): Promise<void> {
  await attempt(async () => {
    const run = await call(kind === 'folder' ? 'runs.importFolder' : 'runs.importArchive', { path })
    toasts.show({
      message: `${run.name} is in the history now`,
      level: 'success',
      action: { label: 'Open', run: () => router.go('runs', run.id) },
    })
  })
}

/** Writes a run as an archive into a folder that the user chooses. */
export async function exportRun(id: number): Promise<void> {
  const to = await choosePath('folder', 'Choose a folder for the archive')
  if (!to) return
  await attempt(async () => {
    const path = await call('runs.export', { id, to })
    toasts.show({ message: `Archive written: ${path}`, level: 'success' })
  })
}

/** Downloads every run that the filter lets through, with the name and the given columns. */
export const exportTable = (filter: AskedFilter, columns: readonly string[], format: 'csv' | 'json') =>
  attempt(async () => {
    const text = await call('history.export', {
      ...filter,
      where: [...filter.where],
      columns: ['name', ...columns],
      format,
    })
    download(`runs.${format}`, text, format === 'csv' ? 'text/csv' : 'application/json')
  })
