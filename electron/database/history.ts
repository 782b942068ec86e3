import type { Statement } from 'better-sqlite3'
import type { z } from 'zod'
import type { historyFilterSchema } from '../contract/index.ts'
import { whereOf } from './conditions.ts'
import { facts } from './facts.ts'
import type { Connection } from './open.ts'
import { foldSweeps, groupByValue, type Keyed, type TableEntry } from './run-groups.ts'
import type { RunStore } from './runs.ts'

export type Filter = z.output<typeof historyFilterSchema>

export interface Sort {
  column: string
  descending: boolean
}

export interface FoundRun {
  id: number
  name: string
  kind: string
  state: string
  archived: number
}

/** The table of all runs: searched, filtered and sorted by any column. */
export class History {
  readonly #db: Connection
  readonly #unwritten: RunStore['unwritten']
  readonly #statements = new Map<string, Statement<[object]>>()
  readonly #names
  readonly #numbersOf

  /** `unwritten`: how runs stand that the database has otherwise. */
  constructor(db: Connection, unwritten: RunStore['unwritten'] = new Map()) {
    this.#db = db
    this.#unwritten = unwritten
    // Texts sort after numbers: where there is one, it is the largest value.
    this.#names = db.prepare<[], { name: string; type: string }>(
      `SELECT name, typeof((SELECT max(value) FROM run_values WHERE name_id = value_names.id)) AS type
       FROM value_names ORDER BY name`,
    )
    this.#numbersOf = db
      .prepare<[string]>(
        `SELECT run_id, value FROM run_values WHERE name_id = (SELECT id FROM value_names WHERE name = ?)
         AND typeof(value) IN ('integer', 'real')`,
      )
      .raw() as Statement<[string], [id: number, value: number]>
  }

  /** Names of all settings and metrics that any run has, and whether some value is a text. */
  valueNames(): { name: string; isText: boolean }[] {
    return this.#names.all().flatMap(({ name, type }) => (type === 'null' ? [] : [{ name, isText: type === 'text' }]))
  }

  /** Settings and metrics that are numbers, with those of the runs that have them. */
  numbers(ids: readonly number[]): { name: string; runIds: number[] }[] {
    const found = this.#all<{ name: string; run: number }>(
      `SELECT n.name, v.run_id AS run FROM json_each(@list) r
       JOIN run_values v ON v.run_id = r.value JOIN value_names n ON n.id = v.name_id
       WHERE typeof(v.value) IN ('integer', 'real') ORDER BY n.name, r.key`,
      { list: JSON.stringify(ids) },
    )
    const names = Map.groupBy(found, ({ name }) => name)
    return [...names].map(([name, runs]) => ({ name, runIds: runs.map(({ run }) => run) }))
  }

  count(filter: Filter): number {
    const { where, parameters } = condition(filter, this.#unwritten)
    const [row] = this.#all<{ total: number }>(`SELECT count(*) AS total FROM runs r WHERE ${where}`, parameters)
    return row?.total ?? 0
  }

  /** Ids in the order that is asked for; those without a value come last either way. */
  ids(filter: Filter, { sort, limit, offset }: { sort?: Sort | undefined; limit: number; offset: number }): number[] {
    const { where, parameters } = condition(filter, this.#unwritten)
    const order = orderOf(sort)
    const rows = this.#all<{ id: number }>(
      `SELECT r.id FROM runs r ${order.join} WHERE ${where} ORDER BY ${order.by} LIMIT @limit OFFSET @offset`,
      { ...parameters, ...order.parameters, limit, offset },
    )
    return rows.map(({ id }) => id)
  }

  /** All rows of the table in order, grouped by sweeps, by a column or not at all (`none`); runs of a group are there where it is open. */
  table(
    filter: Filter,
    sort: Sort | undefined,
    group: string,
    open: ReadonlySet<string>,
  ): { entries: TableEntry[]; runs: number } {
    const { where, parameters } = condition(filter, this.#unwritten)
    const order = orderOf(sort)
    const foldsSweeps = group === 'sweep' || group === 'none'
    const by = group === 'none' ? ungrouped : foldsSweeps ? ofSweep : groupedBy(group)
    const runs = this.#all<Keyed>(
      `SELECT r.id, ${by.key} AS key FROM runs r ${order.join} ${by.join} WHERE ${where} ORDER BY ${order.by}`,
      { ...parameters, ...order.parameters, ...by.parameters },
    )
    const isOpen = (key: string) => open.has(key)
    const entries = foldsSweeps ? foldSweeps(runs, isOpen) : groupByValue(runs, isOpen, sort === undefined)
    return { entries, runs: runs.length }
  }

  /** Means of those metrics that are numbers, over the runs of each group. A run is in one group. */
  means(groups: readonly (readonly number[])[], columns: readonly string[]): Map<string, number>[] {
    const places = new Map(groups.flatMap((ids, place) => ids.map((id) => [id, place] as const)))
    const means = groups.map(() => new Map<string, number>())
    for (const column of columns) {
      if (!column.startsWith('metric.') || places.size === 0) continue
      const sums = groups.map(() => ({ sum: 0, count: 0 }))
      for (const [id, value] of this.#numbersOf.all(column)) {
        const own = sums[places.get(id) ?? -1]
        if (!own) continue
        own.sum += value
        own.count++
      }
      for (const [place, { sum, count }] of sums.entries()) if (count > 0) means[place]!.set(column, sum / count)
    }
    return means
  }

  /** The runs with these ids, in this order, each with the values of the columns. */
  rows(ids: readonly number[], columns: readonly string[]): { run: FoundRun; values: (string | number | null)[] }[] {
    const known = columns.filter((column) => Object.hasOwn(facts, column)) as (keyof typeof facts)[]
    const selected = known.map((column, at) => `, ${facts[column]} AS fact${at}`).join('')
    const list = JSON.stringify(ids)
    const found = this.#all<FoundRun & Record<string, string | number | null>>(
      `SELECT r.id, r.name, r.kind, r.state, r.archived${selected} FROM json_each(@list) JOIN runs r ON r.id = json_each.value ORDER BY json_each.key`,
      { list },
    )
    const names = columns.filter((column) => !Object.hasOwn(facts, column))
    const values = new Map<number, Map<string, string | number | null>>()
    if (names.length > 0)
      for (const { run, name, value } of this.#all<{ run: number; name: string; value: string | number | null }>(
        `SELECT r.value AS run, n.name, v.value FROM json_each(@list) r
         CROSS JOIN (SELECT id, name FROM value_names WHERE name IN (SELECT value FROM json_each(@names))) n
         JOIN run_values v ON v.run_id = r.value AND v.name_id = n.id`,
        { list, names: JSON.stringify(names) },
      )) {
        if (!values.has(run)) values.set(run, new Map())
        values.get(run)!.set(name, value)
      }
    return found.map((run) => ({
      run,
      values: columns.map((column) => {
        const at = known.indexOf(column as keyof typeof facts)
        return (at >= 0 ? run[`fact${at}`] : values.get(run.id)?.get(column)) ?? null
      }),
    }))
  }

  #all<Row>(sql: string, parameters: object): Row[] {
    let statement = this.#statements.get(sql)
    if (!statement) this.#statements.set(sql, (statement = this.#db.prepare<[object]>(sql)))
    return statement.all(parameters) as Row[]
  }
}

/** What runs are joined with to be ordered by a column, and how; runs without a value come last either way. */
function orderOf(sort: Sort | undefined): { join: string; by: string; parameters: Record<string, string> } {
  const column = sort?.column ?? 'created'
  const direction = (sort?.descending ?? true) ? 'DESC' : 'ASC'
  const fact = Object.hasOwn(facts, column) ? facts[column as keyof typeof facts] : null
  const key = fact ?? 'v.value'
  const collation = fact === facts.name || fact === facts.checkpoint ? ' COLLATE NOCASE' : ''
  return {
    join: fact ? '' : valueOf('v', '@column'),
    by: `${key} IS NULL, ${key}${collation} ${direction}, r.id ${direction}`,
    parameters: fact ? {} : { column },
  }
}

const valueOf = (as: string, name: string) =>
  `LEFT JOIN run_values ${as} ON ${as}.run_id = r.id AND ${as}.name_id = (SELECT id FROM value_names WHERE name = ${name})`

const ungrouped = { key: 'NULL', join: '', parameters: {} }
const ofSweep = {
  key: "CASE r.kind WHEN 'sweep' THEN r.id ELSE p.id END",
  join: "LEFT JOIN (SELECT id FROM runs WHERE kind = 'sweep' AND removed IS NULL) p ON p.id = r.parent_id",
  parameters: {},
}
const groupedBy = (column: string) =>
  Object.hasOwn(facts, column)
    ? { key: facts[column as keyof typeof facts], join: '', parameters: {} }
    : { key: 'g.value', join: valueOf('g', '@group'), parameters: { group: column } }

function condition(
  filter: Filter,
  unwritten: RunStore['unwritten'],
): { where: string; parameters: Record<string, string | number> } {
  const where = ['r.removed IS NULL']
  const parameters: Record<string, string | number> = {}
  if (filter.archived !== 'all') where.push(`r.archived = ${filter.archived === 'only' ? 1 : 0}`)
  if (filter.kinds.length > 0) {
    where.push('r.kind IN (SELECT value FROM json_each(@kinds))')
    parameters['kinds'] = JSON.stringify(filter.kinds)
  }
  if (filter.states.length > 0) {
    const { states } = filter
    const here = [...unwritten].flatMap(([id, { state }]) =>
      (states as readonly string[]).includes(state) ? [id] : [],
    )
    where.push(
      `(r.id IN (SELECT value FROM json_each(@here)) OR
        (r.state IN (SELECT value FROM json_each(@states)) AND r.id NOT IN (SELECT value FROM json_each(@unwritten))))`,
    )
    parameters['states'] = JSON.stringify(states)
    parameters['here'] = JSON.stringify(here)
    parameters['unwritten'] = JSON.stringify([...unwritten.keys()])
  }
  if (filter.tags.length > 0) {
    where.push(
      'r.id IN (SELECT run_id FROM run_tags WHERE tag IN (SELECT value FROM json_each(@tags)) GROUP BY run_id HAVING count(*) = @tagCount)',
    )
    parameters['tags'] = JSON.stringify([...new Set(filter.tags)])
    parameters['tagCount'] = new Set(filter.tags).size
  }
  if (filter.checkpoint !== undefined) {
    where.push('(r.checkpoint_id = @checkpoint OR r.output_id = @checkpoint)')
    parameters['checkpoint'] = filter.checkpoint
  }
  for (const [at, each] of filter.where.entries()) {
    const { sql, parameters: own } = whereOf(each, `where${at}`)
    where.push(sql)
    Object.assign(parameters, own)
  }
  const words = searchText(filter.search)
  if (words) {
    where.push('r.id IN (SELECT rowid FROM run_search WHERE run_search MATCH @words)')
    parameters['words'] = words
  }
  return { where: where.join(' AND '), parameters }
}

/** Every word must begin a word of the run; nothing that a person types is taken as an operator of the search. */
const searchText = (text: string): string =>
  text
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word))
    .map((word) => `"${word.replaceAll('"', '""')}"*`)
    .join(' ')
