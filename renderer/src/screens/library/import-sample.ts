import type { SampleName } from '../../../../electron/contract/index.ts'
import { call } from '../../client/index.ts'
import { router } from '../../router/router.svelte.ts'
import { attempt } from '../../state/attempt.ts'
import { toasts } from '../../state/toasts.svelte.ts'

/** Puts a sample and its data into the lists, and offers a run with them. Tells whether it was done. */
export const importSample = (sample: SampleName): Promise<boolean> =>
  attempt(async () => {
    const { checkpoint, datasets } = await call('samples.import', { sample })
    const [data] = datasets
    toasts.show({
      level: 'success',
      message: `${checkpoint.name} was imported, with its data.`,
      action: {
        label: 'New run with it',
        run: () =>
          router.go('new', null, { kind: 'prune', checkpoint: checkpoint.id, ...(data ? { data: data.id } : {}) }),
      },
    })
  })
