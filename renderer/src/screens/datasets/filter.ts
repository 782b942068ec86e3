import type { Dataset } from '../../../../electron/contract/index.ts'

/** Data sets in which every word of the search is found, of a kind (empty: any), newest first. */
export function filterDatasets(all: readonly Dataset[], search: string, kind: string): Dataset[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  return all
    .filter((dataset) => {
      const { name, path, format, task, notes, tags } = dataset
      const text = [name, path, dataset.kind, format, task ?? '', notes, ...tags].join(' ').toLowerCase()
      return words.every((word) => text.includes(word)) && (!kind || dataset.kind === kind)
    })
    .sort((a, b) => b.added - a.added || b.id - a.id)
}
