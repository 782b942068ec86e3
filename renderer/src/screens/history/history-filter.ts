import { historyFilterSchema, type HistoryQuery, runState } from '../../../../electron/contract/index.ts'
import type { Query } from '../../router/routes.ts'

export interface Sort {
  readonly column: string
  readonly descending: boolean
}
export type HistoryFilter = Required<Pick<HistoryQuery, 'search' | 'states' | 'kinds' | 'tags' | 'archived'>>

/** Lets every run through that is not archived. */
export const noFilter: HistoryFilter = { search: '', states: [], kinds: [], tags: [], archived: 'no' }

/** What the address of the history asks for; whatever it has that is no filter is passed over. */
export function filterOf(query: URLSearchParams): { filter: HistoryFilter; sort: Sort | undefined } {
  const list = (name: string) => (query.get(name) ?? '').split('|').filter(Boolean).map(decoded)
  const parsed = historyFilterSchema.safeParse({
    search: (query.get('search') ?? '').slice(0, 500),
    states: list('states').filter((state) => runState.safeParse(state).success),
    kinds: list('kinds'),
    tags: list('tags'),
    archived: query.get('archived') ?? 'no',
  })
  const filter = parsed.success ? parsed.data : historyFilterSchema.parse({})
  const sort = /^(-?)([\w.$-]{1,100})$/.exec(query.get('sort') ?? '')
  return { filter, sort: sort?.[2] ? { column: sort[2], descending: sort[1] === '-' } : undefined }
}

/** The same as a query of the address; what is at its default is left out. */
export function queryOf(filter: HistoryFilter, sort: Sort | undefined): Query {
  return {
    search: filter.search || null,
    states: joined(filter.states),
    kinds: joined(filter.kinds),
    tags: joined(filter.tags),
    archived: filter.archived === 'no' ? null : filter.archived,
    sort: sort ? `${sort.descending ? '-' : ''}${sort.column}` : null,
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
