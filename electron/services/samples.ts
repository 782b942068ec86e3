import { cp, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolderAtomically } from '../../engine/shared/files.ts'
import type { SampleName } from '../contract/index.ts'
import type { Context } from './context.ts'
import type { Datasets } from './datasets.ts'
import type { Handlers } from './handlers.ts'
import type { Library } from './library.ts'

/** What a sample is called in the lists, and its data within its folder. */
const contents: Record<SampleName, { checkpoint: string; data: readonly { path: string; name: string }[] }> = {
  text: {
    checkpoint: 'Sample of text',
    data: [
      { path: 'train.jsonl', name: 'Sample text' },
      { path: 'instructions.json', name: 'Sample instructions' },
      { path: 'heldout.txt', name: 'Sample text, held out' },
      ...[
        ['arc/ARC-Easy-Test.jsonl', 'ARC-Easy'],
        ['arc/ARC-Challenge-Test.jsonl', 'ARC-Challenge'],
        ['boolq/dev.jsonl', 'BoolQ'],
        ['hellaswag/hellaswag_val.jsonl', 'HellaSwag'],
        ['openbookqa/test.jsonl', 'OpenBookQA'],
        ['piqa/valid.jsonl', 'PIQA'],
        ['winogrande/dev.jsonl', 'WinoGrande'],
      ].map(([path, task]) => ({ path: `tasks/${path}`, name: `Sample questions, ${task}` })),
    ],
  },
  images: { checkpoint: 'Sample of images', data: [{ path: '.', name: 'Sample images' }] },
}

/** The samples that come with the app. */
export function sampleHandlers(
  context: Context,
  library: Library,
  datasets: Datasets,
): Pick<Handlers, 'samples.import'> {
  return {
    'samples.import': async ({ sample }) => {
      const { checkpoint: name, data } = contents[sample]
      const folder = await placeOf(context, sample)
      const checkpoint = await library.add(join(folder, 'model'), 'in-place', { name })
      const registered = []
      for (const { path, name: called } of data) registered.push(await datasets.add(join(folder, path), called))
      return { checkpoint, datasets: registered }
    },
  }
}

/** Where a sample lies for good: an app that is started from an image or from a download lies elsewhere each time. */
async function placeOf({ options }: Context, sample: SampleName): Promise<string> {
  const from = options.samples[sample]
  if (!options.samples.mayMove) return from
  const to = join(options.dataFolder, 'samples', sample)
  if (!(await stat(join(to, 'model')).catch(() => null)))
    await createFolderAtomically(to, (temporary) => cp(from, temporary, { recursive: true }))
  return to
}
