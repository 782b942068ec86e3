import {
  type Condition,
  historyFilterSchema,
  type HistoryQuery,
  runState,
} from '../../../../electron/contract/index.ts'
import type { Query } from '../../router/routes.ts'

export interface Sort {
  readonly column: string
  readonly descending: boolean
}
export type HistoryFilter = Required<Pick<HistoryQuery, 'search' | 'states' | 'kinds' | 'tags' | 'archived'>>

/** The same with the search understood. */
export type AskedFilter = HistoryFilter & { readonly where: readonly Condition[] }
/** What the address of the history asks for. */
export interface HistoryView {
  readonly filter: HistoryFilter
  readonly sort: Sort | undefined
  /** `sweep`, `none`, or the key of a column. */
  readonly group: string
  /** Those of a view that names its own; null for those that the user has chosen for all. */
  readonly columns: readonly string[] | null
}

/** Lets every run through that is not archived. */
export const noFilter: HistoryFilter = { search: '', states: [], kinds: [], tags: [], archived: 'no' }

/** What the address of the history asks for; whatever it has that it cannot ask for is passed over. */
export function viewOf(query: URLSearchParams): HistoryView {
  const list = (name: string) => (query.get(name) ?? '').split('|').filter(Boolean).map(decoded)
  const parsed = historyFilterSchema.safeParse({
    search: (query.get('search') ?? '').slice(0, 500),
    states: list('states').filter((state) => runState.safeParse(state).success),
    kinds: list('kinds'),
    tags: list('tags'),
    archived: query.get('archived') ?? 'no',
  })
  const { search, states, kinds, tags, archived } = parsed.success ? parsed.data : historyFilterSchema.parse({})
  const columns = list('columns').filter((key) => isKey.test(key))
  const group = query.get('group') ?? 'sweep'
  const sort = /^(-?)([\w.$-]{1,100})$/.exec(query.get('sort') ?? '')
  return {
    filter: { search, states, kinds, tags, archived },
    sort: sort?.[2] ? { column: sort[2], descending: sort[1] === '-' } : undefined,
    group: isKey.test(group) ? group : 'sweep',
    columns: columns.length > 0 ? columns.slice(0, 60) : null,
  }
}

const isKey = /^[\w.$-]{1,100}$/

/** The same as a query of the address; what is at its default is left out. */
export function queryOf({ filter, sort, group, columns }: HistoryView): Query {
  return {
    search: filter.search || null,
    states: joined(filter.states),
    kinds: joined(filter.kinds),
    tags: joined(filter.tags),
    archived: filter.archived === 'no' ? null : filter.archived,
    sort: sort ? `${sort.descending ? '-' : ''}${sort.column}` : null,
    group: group === 'sweep' ? null : group,
    columns: columns === null ? null : joined(columns),
  }
}

export const isFiltered = (filter: HistoryFilter): boolean =>
  filter.search !== '' || filter.states.length > 0 || filter.kinds.length > 0 || filter.tags.length > 0

/** A list as one value; its separators are hidden where they stand in a part. */
const joined = (values: readonly string[]) => (values.length > 0 ? values.map(encodeURIComponent).join('|') : null)

/** A part of a list as it was before its separators were hidden; as it stands where someone wrote the address by hand. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
