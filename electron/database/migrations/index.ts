import { first } from './0001-first.ts'
import { valueIndex } from './0002-value-index.ts'
import { renamedSettings } from './0003-renamed-settings.ts'
import { exportFiles } from './0004-export-files.ts'
import { playground } from './0005-playground.ts'
import { logTimes } from './0006-log-times.ts'
import { runsTable } from './0007-runs-table.ts'
import { systemLoad } from './0008-system-load.ts'
import { libraryFolders } from './0009-library-folders.ts'
import { speeds } from './0010-speeds.ts'
import { amountInForce } from './0011-amount-in-force.ts'

/** In order; the schema's version is the number of those that were applied. What has been released is never edited. */
export const migrations: readonly string[] = [
  first,
  valueIndex,
  renamedSettings,
  exportFiles,
  playground,
  logTimes,
  runsTable,
  systemLoad,
  libraryFolders,
  speeds,
  amountInForce,
]
