import type { engine } from '../../../../electron/contract/index.ts'
import { resource } from '../../client/index.ts'
import type { Draft } from './draft.ts'
import { isOfSweep, type Setting } from './form.ts'
import type { JobDraft } from './job.ts'
import { settingText } from './setting-text.ts'

interface Form {
  readonly draft: Draft
  readonly job: JobDraft
  readonly problems: ReadonlyMap<string, string>
}

/**
 * What the lists of a sweep come to, known before a checkpoint is chosen. To be made while a component is initialised.
 */
export class SweepPlan {
  readonly #form: () => Form
  readonly #isSweep = $derived.by(() => this.#form().draft.mode === 'sweep')
  /** Null where there are none, or not right. */
  readonly #lists = $derived.by(() => {
    const { job, problems } = this.#form()
    const wrong = [...problems.keys()].some((key) => key === 'sweep' || key.startsWith('values.'))
    if (!this.#isSweep || wrong) return null
    const { preset, values, variants } = job as Partial<engine.SweepLists>
    return { preset, values: values ?? {}, variants: variants ?? [] }
  })
  readonly #answer = resource('runs.plan', () => this.#lists, { keep: true })
  readonly planned = $derived(this.#lists === null ? undefined : this.#answer.data)
  readonly problem = $derived(this.#lists === null ? undefined : this.#answer.problem)

  constructor(form: () => Form) {
    this.#form = form
  }

  /** A setting as the sweep leaves it to the base: a preset may have another default. */
  inBase(setting: Setting): Setting {
    return this.planned && this.#isSweep && Object.hasOwn(this.planned.base, setting.key)
      ? { ...setting, standard: this.planned.base[setting.key] }
      : setting
  }

  /** The values that the runs have of a setting, where none of them leaves it to the base. */
  variedText(key: string): string | undefined {
    if (!this.#isSweep || isOfSweep(key)) return undefined
    const found = this.planned?.settings.find(({ name }) => name === key)
    if (!found) return Object.hasOwn(this.#form().draft.sweep.lists, key) ? 'Varied' : undefined
    // Runs that leave it to the base take what is set here.
    return found.values.includes(null) ? undefined : found.values.map((value) => settingText(key, value)).join(', ')
  }
}
