import { engine } from '../../../../electron/contract/index.ts'
import { clusterOf } from './cluster-draft.ts'
import { type Draft, evaluates } from './draft.ts'
import { isOfSweep, isOfTasks, kindOf, settingsOf } from './form.ts'
import type { Sees } from './sees.ts'
import { listsOf } from './sweep-draft.ts'
import { valueOf } from './typed.ts'

/** A job as far as it is filled in, before its schema has checked it. */
export type JobDraft = Record<string, unknown> & { kind: string }

/**
 * The job that the form describes, as far as it is filled in: what is empty is left out, and text that is no number stays
 * text, for the schema to refuse.
 *
 * @param decimal the decimal separator of the user's locale.
 * @param sees what the checkpoint looks at: what means nothing for it is left out
 */
export function jobOf(draft: Draft, decimal = '.', sees: Sees = null): JobDraft {
  return draft.mode === 'sweep' ? sweepOf(draft, decimal, sees) : singleOf(draft, decimal, sees)
}

/** The settings that the runs share are those of a pruning run; a setting that has a list of its own is in that alone. */
function sweepOf(draft: Draft, decimal: string, sees: Sees): JobDraft {
  const { preset, lists, variants } = draft.sweep
  const { kind, checkpoint, ...settings } = singleOf(draft, decimal, sees)
  const entries = Object.entries(settings)
  return {
    kind,
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(preset === null ? {} : { preset }),
    ...Object.fromEntries(entries.filter(([key]) => isOfSweep(key))),
    base: Object.fromEntries(entries.filter(([key]) => !isOfSweep(key) && !Object.hasOwn(lists, key))),
    values: listsOf(lists, decimal),
    ...(variants.length > 0 ? { variants } : {}),
    ...placeOf(draft, decimal),
  }
}

/** Where what is made of tasks is done. */
const placeOf = ({ mode, where }: Draft, decimal: string): { cluster?: Record<string, unknown> } =>
  isOfTasks(mode) && where.on !== 'here' ? { cluster: clusterOf(where, decimal) } : {}

function singleOf(draft: Draft, decimal: string, sees: Sees): JobDraft {
  const kind = kindOf(draft.mode)
  const job: JobDraft = { kind, ...(kind === 'evaluate' && placeOf(draft, decimal)) }
  if (draft.checkpoint) job['checkpoint'] = draft.checkpoint
  if (draft.adapter && (kind === 'merge' || kind === 'evaluate')) job['adapter'] = draft.adapter
  if (draft.compareWith && kind === 'evaluate') job['compareWith'] = draft.compareWith
  if (draft.data.length > 0 && kind !== 'merge' && kind !== 'evaluate') job['data'] = draft.data
  const evaluation: Record<string, unknown> = {}
  for (const setting of settingsOf(draft.mode, sees)) {
    const value = valueOf(setting, draft.values[setting.key], decimal)
    if (value === undefined) continue
    if (setting.key.startsWith('evaluation.')) evaluation[setting.key.slice('evaluation.'.length)] = value
    else job[setting.key] = value
  }
  if (!evaluates(draft)) {
    delete job['evaluateDense']
    return job
  }
  if (draft.mode === 'pipeline') job['evaluateDense'] = true
  job['evaluation'] = { ...evaluation, ...(sees === 'images' ? {} : textsOf(draft)) }
  return job
}

/** Tasks stand everywhere in the order of the form, those of the user's own behind the others. */
const rankOf = (task: string): number => {
  const place = engine.taskList.findIndex(({ name }) => name === task)
  return place < 0 ? engine.taskList.length : place
}

/** The task files and texts that a language model is scored on. */
const textsOf = (draft: Draft) => ({
  tasks: Object.fromEntries(
    Object.entries(draft.tasks)
      .filter(([, path]) => path !== '')
      .toSorted(([one], [other]) => rankOf(one) - rankOf(other)),
  ),
  ...(Object.keys(draft.fewShotFrom).length > 0 && {
    fewShotFrom: Object.fromEntries(Object.entries(draft.fewShotFrom).filter(([task]) => draft.tasks[task])),
  }),
  perplexity: Object.fromEntries(draft.perplexity.map(({ name, path }) => [name.trim(), path])),
})
