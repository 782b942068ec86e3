import type { CheckpointSummary } from '../../../../electron/contract/index.ts'
import type { Query } from '../../router/routes.ts'

export const sortOrders = ['added', 'name', 'size', 'parameters'] as const
export type SortOrder = (typeof sortOrders)[number]

/** Bands of size on disk, in bytes: from, and up to but without. */
export const sizeBands = {
  small: [0, 1e9],
  medium: [1e9, 1e10],
  large: [1e10, 5e10],
  huge: [5e10, Infinity],
} as const
export type SizeBand = keyof typeof sizeBands

export interface Filter {
  search: string
  /** Empty: all of them. */
  family: string
  kind: string
  tag: string
  size: SizeBand | ''
  sort: SortOrder
}

/** The filter that an address holds. */
export function readFilter(query: URLSearchParams): Filter {
  const text = (name: string) => query.get(name) ?? ''
  const size = text('size')
  const sort = text('sort')
  return {
    search: text('search'),
    family: text('family'),
    kind: text('kind'),
    tag: text('tag'),
    size: Object.hasOwn(sizeBands, size) ? (size as SizeBand) : '',
    sort: sortOrders.find((order) => order === sort) ?? 'added',
  }
}

/** As a part of the address; what is as it is by default is left out. */
export function writeFilter(filter: Filter): Query {
  const { sort, ...texts } = filter
  return {
    ...Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, value || null])),
    sort: sort === 'added' ? null : sort,
  }
}

export const isFiltered = ({ search, family, kind, tag, size }: Filter): boolean =>
  [search, family, kind, tag, size].some((value) => value !== '')

/** The checkpoints that a filter leaves, favourites first, in its order. Every word of the search has to be found. */
export function filterCheckpoints(all: readonly CheckpointSummary[], filter: Filter): CheckpointSummary[] {
  const words = filter.search.toLowerCase().split(/\s+/).filter(Boolean)
  const [from, to] = filter.size ? sizeBands[filter.size] : [0, Infinity]
  const left = all.filter((checkpoint) => {
    const { name, path, family, kind, dtype, notes, tags, bytes } = checkpoint
    const text = [name, path, family, kind, dtype, notes, ...tags].join(' ').toLowerCase()
    return (
      words.every((word) => text.includes(word)) &&
      (!filter.family || family === filter.family) &&
      (!filter.kind || kind === filter.kind) &&
      (!filter.tag || tags.includes(filter.tag)) &&
      bytes >= from &&
      bytes < to
    )
  })
  const order = comparisons[filter.sort]
  return left.sort((a, b) => Number(b.favourite) - Number(a.favourite) || order(a, b) || a.id - b.id)
}

const comparisons: Record<SortOrder, (a: CheckpointSummary, b: CheckpointSummary) => number> = {
  added: (a, b) => b.added - a.added,
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  size: (a, b) => b.bytes - a.bytes,
  parameters: (a, b) => b.parameters - a.parameters,
}

/** Every value of a list, once, sorted: what a filter offers. */
export const valuesOf = (values: readonly string[]): string[] =>
  [...new Set(values)].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }))
