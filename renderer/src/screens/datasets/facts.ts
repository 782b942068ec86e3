import type { Dataset } from '../../../../electron/contract/index.ts'
import { bytes, count, date, none } from '../../format.ts'
import { formatName, taskTitle } from '../../names.ts'

/** What a data set is, as names and values with their units. */
export const factsOf = (dataset: Dataset): { name: string; value: string }[] => [
  { name: 'Format', value: formatName(dataset.format) },
  {
    name: dataset.kind === 'images' ? 'Images' : 'Rows',
    value: dataset.rows === null ? 'not counted, since the file is big' : count(dataset.rows),
  },
  { name: 'Size', value: bytes(dataset.bytes) },
  ...(dataset.task ? [{ name: 'Layout of', value: taskTitle(dataset.task) }] : []),
  ...(dataset.kind === 'images' ? [] : [{ name: 'Fields', value: dataset.fields.join(', ') || none }]),
  { name: 'Added', value: date(dataset.added) },
]
