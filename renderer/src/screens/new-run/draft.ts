import { z } from 'zod'
import { engine } from '../../../../electron/contract/index.ts'
import { modes } from './form.ts'
import { clusterDraftSchema, here } from './cluster-draft.ts'
import { emptySweep, sweepDraftSchema } from './sweep-draft.ts'

/** What the user has put into the form. Numbers stand as they were typed; a setting that is not there has its default. */
export const draftSchema = z.object({
  mode: z.enum(modes),
  name: z.string(),
  checkpoint: z.string(),
  adapter: z.string(),
  /** The dense checkpoint that an evaluation scores too. */
  compareWith: z.string().default(''),
  data: z.array(z.string()),
  /** Whether a prune run scores its result. */
  evaluate: z.boolean(),
  tasks: z.record(z.string(), z.string()),
  /** Train files that solved examples come from, by task. */
  fewShotFrom: z.record(z.string(), z.string()).default({}),
  perplexity: z.array(z.object({ name: z.string(), path: z.string() })),
  /** By the dotted path of the setting. */
  values: z.record(z.string(), z.union([z.string(), z.boolean(), z.array(z.string())])),
  preset: z.string().nullable(),
  /** What the runs of a sweep differ in. */
  sweep: sweepDraftSchema.default(() => emptySweep()),
  /** Where the runs of a sweep are done. */
  where: clusterDraftSchema.default(() => here()),
  /** Where its folder is made; empty: in the folder of the settings. */
  folder: z.string().default(''),
  /** Run that this one changes. */
  parentId: z.int().nullable(),
})
export type Draft = z.infer<typeof draftSchema>
export type DraftValue = Draft['values'][string]

export const emptyDraft = (): Draft => ({
  mode: 'pipeline',
  name: '',
  checkpoint: '',
  adapter: '',
  compareWith: '',
  data: [],
  evaluate: false,
  tasks: {},
  fewShotFrom: {},
  perplexity: [],
  values: {},
  preset: null,
  sweep: emptySweep(),
  where: here(),
  folder: '',
  parentId: null,
})

/** Whether a job of this draft may have an evaluation, and whether that is the user's choice. */
export const mayEvaluate = ({ mode, sweep }: Draft): 'always' | 'if wanted' | 'never' => {
  if (mode === 'evaluate' || mode === 'pipeline') return 'always'
  if (mode === 'sweep' && sweep.preset !== null && engine.sweepPresets[sweep.preset].scores === 'none') return 'never'
  return mode === 'prune' || mode === 'sweep' ? 'if wanted' : 'never'
}

/** Whether a job of this draft has an evaluation. */
export const evaluates = (draft: Draft): boolean => {
  const may = mayEvaluate(draft)
  return may === 'always' || (may === 'if wanted' && draft.evaluate)
}
