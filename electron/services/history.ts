import { setImmediate } from 'node:timers/promises'
import type { Column, HistoryRow, ParsedRequest, TableRow } from '../contract/index.ts'
import type { facts } from '../database/facts.ts'
import type { History } from '../database/history.ts'
import { groupKey, type TableEntry } from '../database/run-groups.ts'
import type { RunValue } from '../database/runs.ts'
import type { Context } from './context.ts'
import { csvRow } from './csv.ts'
import type { Handlers } from './handlers.ts'
import { joinedScores, sourceOf } from './joined-scores.ts'

const factColumns: Record<keyof typeof facts, Omit<Column, 'key'>> = {
  name: { label: 'Name', type: 'text' },
  kind: { label: 'Kind', type: 'text' },
  state: { label: 'State', type: 'state' },
  checkpoint: { label: 'Checkpoint', type: 'text' },
  device: { label: 'Device', type: 'text' },
  created: { label: 'Created', type: 'time' },
  started: { label: 'Started', type: 'time' },
  finished: { label: 'Finished', type: 'time' },
  duration: { label: 'Duration', type: 'seconds' },
  tags: { label: 'Tags', type: 'tags' },
  notes: { label: 'Notes', type: 'text' },
  folder: { label: 'Folder', type: 'text' },
  reason: { label: 'Reason', type: 'text' },
}

/** Runs that are read at once where all are wanted. */
const slice = 200

/** The ids of many runs in parts; other requests are answered after each of them. */
export async function* inSlices(ids: readonly number[]): AsyncGenerator<readonly number[]> {
  for (let start = 0; start < ids.length; start += slice) {
    yield ids.slice(start, start + slice)
    await setImmediate()
  }
}

/** A column of each setting and metric that any run has. */
export const valueColumns = (history: History): Column[] =>
  history.valueNames().map(({ name, isText }) => {
    const label = name.slice(name.indexOf('.') + 1)
    return { key: name, label, type: isText ? 'text' : typeOf(name) }
  })

export class HistoryService {
  readonly #context: Context
  readonly #history: History

  constructor(context: Context, history: History) {
    this.#context = context
    this.#history = history
  }

  readonly handlers: Handlers<keyof Handlers & `history.${string}`> = {
    'history.columns': () => this.#columns(),
    'history.query': ({ columns, sort, offset, limit, ...filter }) => ({
      total: this.#history.count(filter),
      rows: this.#rows(this.#history.ids(filter, { sort, offset, limit }), columns),
    }),
    'history.table': (input) => this.#table(input),
    'history.tags': () => this.#context.runs.tags.all(),
    'history.export': (input) => this.#export(input),
  }

  #columns(): Column[] {
    const known = Object.entries(factColumns).map(([key, column]) => ({ key, ...column }))
    return [...known, ...valueColumns(this.#history)]
  }

  #rows(ids: readonly number[], columns: readonly string[]): HistoryRow[] {
    const { tags, unwritten } = this.#context.runs
    const sources = this.#sources(ids, columns)
    return this.#history.rows(ids, columns).map(({ run, values }) => {
      const own = tags.of(run.id)
      const stands: Record<string, string | null> = { ...unwritten.get(run.id) }
      return {
        id: run.id,
        name: run.name,
        kind: run.kind,
        state: (stands['state'] ?? run.state) as HistoryRow['state'],
        archived: run.archived === 1,
        tags: own,
        from: sources.get(run.id) ?? [],
        values: values.map((value, at) => (columns[at] === 'tags' ? own : (stands[columns[at]!] ?? value))),
      }
    })
  }

  #table({ columns, sort, offset, limit, group, open, ...filter }: ParsedRequest<'history.table'>) {
    const isOpen = new Set(open)
    const { entries, runs } = this.#history.table(filter, sort, group, isOpen)
    const page = entries.slice(offset, offset + limit)
    return { total: entries.length, runs, rows: this.#tableRows(page, columns, isOpen) }
  }

  #tableRows(entries: readonly TableEntry[], columns: readonly string[], open: ReadonlySet<string>): TableRow[] {
    const found = this.#rows(
      entries.flatMap((entry) => (entry.type === 'run' ? [entry.id] : [])),
      columns,
    )
    const rows = new Map(found.map((row) => [row.id, row]))
    const groups = entries.filter((entry) => entry.type === 'group')
    const means = this.#history.means(
      groups.map(({ members }) => members),
      columns,
    )
    const sweeps = new Set(
      entries.flatMap((entry) => (entry.type === 'run' && entry.sweep !== null ? [entry.sweep] : [])),
    )
    const names = new Map(this.#context.runs.outlines([...sweeps]).map(({ id, name }) => [id, name]))
    const folded = (value: RunValue, members: readonly number[]) => {
      const key = groupKey(value)
      return { key, members: [...members], open: open.has(key) }
    }
    return entries.map((entry): TableRow => {
      if (entry.type === 'group') {
        const own = means[groups.indexOf(entry)]!
        const { value, members } = entry
        return {
          type: 'group',
          folded: folded(value, members),
          value,
          values: columns.map((key) => own.get(key) ?? null),
        }
      }
      const { id, depth, members, sweep } = entry
      return {
        ...rows.get(id)!,
        type: 'run',
        depth,
        sweep: sweep === null ? null : (names.get(sweep) ?? null),
        folded: members.length > 0 ? folded(id, members) : null,
      }
    })
  }

  /** Of runs whose result was evaluated later, which of the columns come from there. */
  #sources(ids: readonly number[], columns: readonly string[]): Map<number, HistoryRow['from']> {
    const { runs } = this.#context
    const metrics = columns.flatMap((key) => (key.startsWith('metric.') ? [key] : []))
    if (metrics.length === 0) return new Map()
    return new Map(
      runs.records.evaluatedLater(ids).map((id) => {
        const { from } = joinedScores(this.#context, runs.get(id)!)
        const found = metrics.flatMap((column) => {
          const source = sourceOf(from, column.slice('metric.'.length))
          return source ? [{ column, runId: source.runId, name: source.name }] : []
        })
        return [id, found]
      }),
    )
  }

  async #export({ columns, format, ...filter }: ParsedRequest<'history.export'>): Promise<string> {
    const ids = this.#history.ids(filter, { limit: -1, offset: 0 })
    const labels = new Map(this.#columns().map(({ key, label }) => [key, label]))
    const parts: string[] = []
    if (format === 'csv')
      parts.push(csvRow(['id', ...columns.map((key) => (key in factColumns ? (labels.get(key) ?? key) : key))]))
    for await (const part of inSlices(ids)) {
      for (const row of this.#rows(part, columns)) {
        if (format === 'csv') parts.push(csvRow([row.id, ...row.values.map((value, at) => cell(value, columns[at]!))]))
        else
          parts.push(
            JSON.stringify({ id: row.id, ...Object.fromEntries(columns.map((key, at) => [key, row.values[at]])) }),
          )
      }
    }
    return format === 'csv' ? parts.join('') : `[\n${parts.join(',\n')}\n]\n`
  }
}

/** Times as ISO 8601, lists with commas. */
function cell(value: HistoryRow['values'][number], column: string): string | number | null {
  if (Array.isArray(value)) return value.join(', ')
  const isTime = Object.hasOwn(factColumns, column) && factColumns[column as keyof typeof facts].type === 'time'
  return isTime && typeof value === 'number' ? new Date(value).toISOString() : value
}

/** What kind of number a setting or metric is, by its name. */
function typeOf(name: string): Column['type'] {
  if (name.endsWith('Bytes')) return 'bytes'
  if (/\.(acc|accNorm|top1|top5|meanAccuracy)$|parametersKept$|setting\.(ratio|targetFraction)$/.test(name))
    return 'fraction'
  return 'number'
}
