/** What the curves of a run are called. */
const labels: Readonly<Record<string, string>> = {
  loss: 'Loss',
  learningRate: 'Learning rate',
  gradientNorm: 'Gradient norm',
  tokensPerSecond: 'Tokens per second',
  memoryBytes: 'Memory',
  'sparsity.planned': 'Planned',
  'sparsity.heads': 'Heads',
  'sparsity.channels': 'Channels',
}

export const metricLabel = (name: string): string => (Object.hasOwn(labels, name) ? (labels[name] ?? name) : name)

/** What a chart of one curve is called. */
export const chartTitle = (name: string): string =>
  name.startsWith('sparsity.') ? `Sparsity: ${metricLabel(name).toLowerCase()}` : metricLabel(name)
