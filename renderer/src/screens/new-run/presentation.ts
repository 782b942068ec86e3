import { capital } from '../../format.ts'
import { taskTitle } from '../../names.ts'
import { otherGroup, type Presentation } from './setting-group.ts'
import { groups } from './setting-groups.ts'

/** `gradientNorm` as `Gradient norm`. */
export function humanise(name: string): string {
  const words = (name.split('.').at(-1) ?? name)
    .replaceAll(/[-_]/g, ' ')
    .replaceAll(/([a-z\d])([A-Z])/g, (_, before: string, letter: string) => `${before} ${letter.toLowerCase()}`)
  return capital(words)
}

/** Group and presentation of a setting by its dotted path. */
export function presentationOf(key: string): Presentation & { group: { name: string; title: string } } {
  const group = groups.find(({ settings }) => Object.hasOwn(settings, key))
  return { ...group?.settings[key], group: group ?? otherGroup }
}

/** A setting of a sweep's runs, in its base or in a list, and the setting itself. */
export function ofRun(key: string): { place: 'base' | 'values'; key: string } | null {
  const [, place, setting] = /^(base|values)\.(.+)$/.exec(key) ?? []
  return setting ? { place: place as 'base' | 'values', key: setting } : null
}

/** The label of a setting, wherever it is shown; the files of an evaluation are called after what they score. */
export function settingLabel(key: string): string {
  const run = ofRun(key)
  if (run) return run.place === 'values' ? `${settingLabel(run.key)}, varied` : settingLabel(run.key)
  const file = /^evaluation\.(tasks|fewShotFrom|perplexity)\.(.+)$/.exec(key)
  if (!file?.[2]) return presentationOf(key).label ?? humanise(key)
  if (file[1] === 'perplexity') return `Text, ${file[2]}`
  return `${file[1] === 'tasks' ? 'Task file' : 'Examples'}, ${taskTitle(file[2])}`
}
