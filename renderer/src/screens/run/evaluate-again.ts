import type { RunDetail } from '../../../../electron/contract/index.ts'
import { href } from '../../router/routes.ts'

/** The address at which what a run came to is scored again. */
export const evaluateAgain = (run: Pick<RunDetail, 'outputId' | 'checkpointId'> | undefined): string =>
  href('new', null, { kind: 'evaluate', checkpoint: run?.outputId ?? run?.checkpointId })
