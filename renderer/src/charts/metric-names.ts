import { bytes, number, percent } from '../format.ts'

/** What the curves of a run are called. */
const labels: Readonly<Record<string, string>> = {
  loss: 'Loss',
  validationLoss: 'Validation loss',
  validationTop1: 'Validation top-1',
  learningRate: 'Learning rate',
  gradientNorm: 'Gradient norm',
  tokensPerSecond: 'Tokens per second',
  imagesPerSecond: 'Images per second',
  memoryBytes: 'Memory',
  'sparsity.planned': 'Planned',
  'sparsity.heads': 'Heads',
  'sparsity.channels': 'Channels',
  'sparsity.parameters': 'Parameters',
  'sparsity.parametersPlanned': 'Parameters, planned',
}

export const metricLabel = (name: string): string => (Object.hasOwn(labels, name) ? (labels[name] ?? name) : name)

/** What a chart of one curve is called. */
export const chartTitle = (name: string): string =>
  name.startsWith('sparsity.') ? `Sparsity: ${metricLabel(name).toLowerCase()}` : metricLabel(name)

const units: Readonly<Record<string, string>> = {
  loss: 'nats per token',
  validationLoss: 'nats per token',
  tokensPerSecond: 'tokens/s',
  imagesPerSecond: 'images/s',
  memoryBytes: 'resident',
}
/** @param ofImages whether a run's model looks at images: its loss is of these, and not of tokens */
export const metricUnit = (name: string, ofImages = false): string =>
  (units[name] ?? '').replace('per token', ofImages ? 'per image' : 'per token')

export function metricFormat(name: string): (value: number) => string {
  if (name.startsWith('sparsity.') || name === 'validationTop1') return (value) => percent(value, 1)
  if (name === 'memoryBytes') return bytes
  return name.endsWith('PerSecond') ? (value) => number(value, 3) : number
}

/** Whether a curve has the noise that smoothing is for. */
export const isNoisy = (name: string): boolean =>
  ['loss', 'gradientNorm', 'tokensPerSecond', 'imagesPerSecond'].includes(name)
