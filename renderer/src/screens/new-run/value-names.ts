import { engine } from '../../../../electron/contract/index.ts'
import { deviceNames, taskTitle } from '../../names.ts'

/** Names of values as people read them, after a dot where they are those of one setting; any other is shown as it stands. */
const valueNames: Readonly<Record<string, string>> = {
  auto: 'Chosen automatically',
  ...deviceNames,
  secateur: 'Secateur',
  f16: 'F16',
  q8_0: 'Q8_0',
  q4_k_m: 'Q4_K_M',
  same: 'As in the checkpoint',
  'key-value-heads': 'Key/value heads with their query heads',
  'query-heads': 'Query heads',
  local: 'Within each layer',
  global: 'Over all layers',
  groups: 'Heads and channels',
  parameters: 'Parameters of the decoder layers',
  iterative: 'Step by step',
  'one-shot': 'All at once',
  none: 'None',
  module: 'By linear layer',
  answers: 'Answers only',
  everything: 'Everything',
  instead: 'Instead of the rows of the data',
  beside: 'Beside the rows of the data',
  pack: 'Packed',
  'pack-documents': 'Packed, documents apart',
  pad: 'Padded, one example a row',
  constant: 'Constant',
  linear: 'Linear',
  cosine: 'Cosine',
  off: 'Off',
  on: 'On',
  modern: "Today's harness",
  legacy: "The papers' harness",
  l1: 'L1',
  l2: 'L2',
  merged: 'With the adapter',
  base: 'Without the adapter',
  adapter: 'Estimated from the adapter',
  weights: 'Of the weights themselves',
  original: 'The original weights',
  trained: 'The weights that were trained',
  refuse: 'Stop the run',
  skip: 'Skip',
  nearest: 'To the nearest',
  'rounding.down': 'Down',
  sum: 'Sum',
  mean: 'Mean',
}

/** @param key the setting whose value it is */
export function valueName(value: string, key = ''): string {
  const own = valueNames[`${key}.${value}`]
  if (own !== undefined) return own
  if (Object.hasOwn(valueNames, value)) return valueNames[value] ?? value
  const criterion = engine.criterionName.safeParse(value)
  return criterion.success ? engine.criteria[criterion.data].title : taskTitle(value)
}
