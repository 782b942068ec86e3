import type { CheckpointSummary, engine } from '../../../../electron/contract/index.ts'

/** What a job's checkpoint looks at; null where the library does not know it. */
export type Sees = 'text' | 'images' | null

/** Settings that mean nothing for one of the two. */
const only: Readonly<Record<'text' | 'images', readonly string[]>> = {
  text: [
    'field',
    'trainOn',
    'packing',
    'sequenceLength',
    'selfData',
    'selfDataUse',
    'selfDataTokens',
    'selfDataPrompt',
    'selfDataTemperature',
    'selfDataTopP',
    'distilCache',
    'distilHidden',
    'headGroups',
    'calibrationSequenceLength',
    'sampleEvery',
    'samplePrompts',
    'sampleTokens',
    'evaluation.mode',
    'evaluation.fewShot',
    'evaluation.window',
    'evaluation.maxWindows',
    'evaluation.latency',
    'evaluation.latencyLengths',
    'evaluation.prompts',
    'evaluation.maxNewTokens',
    'evaluation.runner',
    'evaluation.runnerType',
  ],
  images: ['augmentation', 'imageSize', 'trainClassifier', 'evaluation.images', 'evaluation.badImages'],
}

/** Whether a setting, by its dotted path, has a meaning for what the checkpoint looks at. */
export const isFor = (key: string, sees: Sees): boolean =>
  sees === null || !only[sees === 'text' ? 'images' : 'text'].includes(key)

/** What a job's checkpoint looks at; where none is chosen yet, what a figure that is repeated is about. */
export function seesOf(
  library: readonly Pick<CheckpointSummary, 'path' | 'images'>[],
  { checkpoint, mode, sweep }: { checkpoint: string; mode: string; sweep: { preset: engine.SweepPreset | null } },
): Sees {
  const known = library.find(({ path }) => path === checkpoint)
  if (known) return known.images === null ? 'text' : 'images'
  return mode === 'sweep' && sweep.preset === 'images' && checkpoint === '' ? 'images' : null
}
