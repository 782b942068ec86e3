import type { Column, HistoryRow } from '../../../../electron/contract/index.ts'
import { bytes, count, date, duration, none, number, percent } from '../../format.ts'
import { runKindName, runStateName, taskTitle } from '../../names.ts'
import type { Better } from '../compare/pareto.ts'
import { humanise, ofRun, settingLabel } from '../new-run/presentation.ts'
import { settingText } from '../new-run/setting-text.ts'

/** What is shown until the user chooses: scores where runs have some. The name always stands first and is no choice. */
export function defaultColumns(columns: readonly Pick<Column, 'key'>[]): string[] {
  const scores = ['metric.meanAccuracy', ...scoreColumns(columns)]
  return [
    'state',
    'setting.ratio',
    'metric.parametersKept',
    ...scores,
    'created',
    'duration',
    'checkpoint',
    'kind',
    'tags',
  ]
}

/** The first text whose perplexity some run has, and top-1 where images were scored. */
const scoreColumns = (columns: readonly Pick<Column, 'key'>[]): string[] =>
  [/^metric\.perplexity\./, /^metric\.images\.top1$/].flatMap(
    (pattern) => columns.find(({ key }) => pattern.test(key))?.key ?? [],
  )

/** Settings that a fact of the run is called after. */
const besideFacts: Readonly<Record<string, string>> = { checkpoint: 'Checkpoint path', device: 'Device asked for' }

const metricLabels: Readonly<Record<string, string>> = {
  loss: 'Final loss',
  validationLoss: 'Validation loss',
  meanAccuracy: 'Mean accuracy',
  peakMemoryBytes: 'Peak memory',
  parametersBefore: 'Parameters before',
  parametersAfter: 'Parameters after',
  parametersKept: 'Parameters kept',
  exportedBytes: 'Exported file',
  bitsPerWeight: 'Bits a weight',
  proofWorst: 'Proof, worst',
  proofMean: 'Proof, mean',
  'images.top1': 'Top-1 accuracy',
  'images.top5': 'Top-5 accuracy',
  'images.perSecond': 'Speed (images/s)',
  promptTokensPerSecond: 'Speed, prompt (tokens/s)',
  generatedTokensPerSecond: 'Speed, generation (tokens/s)',
}

/** What a column is called, from the names that its setting or metric has everywhere. */
export function columnLabel({ key, label }: Pick<Column, 'key' | 'label'>): string {
  if (key.startsWith('setting.')) {
    const setting = key.slice('setting.'.length)
    if (Object.hasOwn(besideFacts, setting)) return besideFacts[setting] ?? label
    // A sweep's job has the settings of all its runs beside its own.
    return ofRun(setting)?.place === 'base' ? `${settingLabel(setting)}, all runs` : settingLabel(setting)
  }
  if (!key.startsWith('metric.')) return label
  const name = key.slice('metric.'.length)
  return name.startsWith('dense.') ? `${metricLabel(name.slice('dense.'.length))}, dense` : metricLabel(name)
}

function metricLabel(name: string): string {
  if (Object.hasOwn(metricLabels, name)) return metricLabels[name] ?? name
  if (name.startsWith('perplexity.')) return `Perplexity, ${name.slice('perplexity.'.length)}`
  const score = /^(.+)\.(acc|accNorm)$/.exec(name)
  if (score?.[1]) return `${taskTitle(score[1])} ${score[2] === 'acc' ? 'accuracy' : 'accuracy, length-normalised'}`
  return humanise(name)
}

/** In which direction a column's values are better. */
export const betterOf = (key: string): Better =>
  /\.(acc|accNorm|top1|top5|perSecond|meanAccuracy)$|TokensPerSecond$/.test(key) ? 'higher' : 'lower'

const widths: Record<Column['type'], number> = {
  text: 140,
  number: 100,
  time: 160,
  state: 144,
  tags: 160,
  bytes: 90,
  seconds: 100,
  fraction: 90,
}
/** In pixels: fixed by type, so that no column jumps while rows come and go. Long headings get what two lines need. */
export function columnWidth(column: Column): number {
  const words = columnLabel(column).split(' ')
  const lines = words.map((_, at) => Math.max(words.slice(0, at).join(' ').length, words.slice(at).join(' ').length))
  return Math.max(widths[column.type], Math.min(260, Math.round(7 * Math.min(...lines)) + 34))
}

/** A run's name; under its sweep without the sweep's, with which it begins. */
export const nameUnder = (sweep: string | null, name: string): string =>
  sweep !== null && name.startsWith(`${sweep}: `) ? name.slice(sweep.length + 2) : name

const numeric: readonly Column['type'][] = ['number', 'bytes', 'seconds', 'fraction']
export const isNumeric = ({ type }: Pick<Column, 'type'>): boolean => numeric.includes(type)

/** A cell as text, with its unit. */
export function cellText({ key, type }: Column, value: HistoryRow['values'][number] | undefined): string {
  if (value === null || value === undefined || value === '') return none
  if (Array.isArray(value)) return value.join(', ')
  if (typeof value === 'string') {
    if (key === 'kind') return runKindName(value)
    if (type === 'state') return runStateName(value)
    return key.startsWith('setting.') ? settingText(key.slice('setting.'.length), value) : value
  }
  switch (type) {
    case 'time':
      return date(value)
    case 'bytes':
      return bytes(value)
    case 'seconds':
      return duration(value)
    case 'fraction':
      return percent(value, 1)
    default:
      return Number.isInteger(value) ? count(value) : number(value)
  }
}
