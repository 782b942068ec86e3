import type { RunSummary } from '../../../../electron/contract/index.ts'
import { href } from '../../router/routes.ts'

/** The form with a run's settings in it: that of exports, or that of new runs. */
export const cloneAddress = ({ id, kind, checkpointId }: Pick<RunSummary, 'id' | 'kind' | 'checkpointId'>): string =>
  kind === 'export' && checkpointId !== null
    ? href('export', checkpointId, { from: id })
    : href('new', null, { from: id })
