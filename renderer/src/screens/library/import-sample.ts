import type { SampleName } from '../../../../electron/contract/index.ts'
import { call } from '../../client/index.ts'
import { router } from '../../router/router.svelte.ts'
import { attempt } from '../../state/attempt.ts'
import { toasts } from '../../state/toasts.svelte.ts'

/** Puts the sample of text into the lists, and opens a first run with it that is filled in. Tells whether it was done. */
export const trySample = (): Promise<boolean> =>
  attempt(async () => {
    const { checkpoint, datasets } = await call('samples.import', { sample: 'text' })
    const questions = datasets.filter(({ task }) => task !== null).map(({ id }) => id)
    router.go('new', null, {
      kind: 'pipeline',
      checkpoint: checkpoint.id,
      data: datasets[0]!.id,
      score: questions.join(','),
      preset: 'quick',
    })
  })

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
