/** How one setting is shown. */
export interface Presentation {
  readonly label?: string
  readonly unit?: string
  /** In place of the schema's sentence, where that speaks to users of the command line. */
  readonly sentence?: string
  /** Other names that the field has for it, which a search finds it by. */
  readonly also?: string
  /** What a path of something to read is browsed for as; a file unless said. */
  readonly browse?: 'file' | 'folder'
  /** Values worth choosing, with what each is for. */
  readonly offers?: readonly { readonly value: string; readonly label: string }[]
}

/** Settings that stand under one title. */
export interface SettingGroup {
  readonly name: string
  readonly title: string
  /** Settings by their dotted path in the job, in the order in which they are shown. */
  readonly settings: Readonly<Record<string, Presentation>>
}

/** Settings that stand with what most runs are about, and not among the advanced ones. */
export const amountSettings: readonly string[] = ['ratio', 'ratioOf', 'budget', 'uniform']

/** Parts of a job that have pickers of their own, or that the command line alone says. */
export const picked: readonly string[] = [
  'kind',
  'checkpoint',
  'adapter',
  'compareWith',
  'out',
  'data',
  'evaluation.tasks',
  'evaluation.perplexity',
  'evaluation.fewShotFrom',
  'preset',
  'base',
  'values',
  'variants',
  'cluster',
]

/** Where settings stand that no group names. */
export const otherGroup = { name: 'other', title: 'Other settings' }
