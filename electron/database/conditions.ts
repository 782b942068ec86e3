import type { Condition } from '../contract/index.ts'
import { facts } from './facts.ts'

type Parameters = Record<string, string | number>

const order = { '<': '<', '<=': '<=', '>': '>', '>=': '>=', '=': '=', '!=': '<>' } as const

/** How a value stands to one that is asked for; texts regardless of case. */
function holds(value: string, { op, value: wanted }: Condition, name: string): string {
  if (op === 'contains') return `instr(lower(${value}), lower(@${name})) > 0`
  // Texts would be larger than every number.
  return typeof wanted === 'number'
    ? `(typeof(${value}) IN ('integer', 'real') AND ${value} ${order[op]} @${name})`
    : `${value} ${order[op]} @${name} COLLATE NOCASE`
}

/**
 * What is asked of one column, of a row `r` of runs. A run without a value is let through by nothing, also not by "is not",
 * but for tags: there it is let through where it has no such tag.
 *
 * @param name of its parameter
 */
export function whereOf(condition: Condition, name: string): { sql: string; parameters: Parameters } {
  const { column, op, value } = condition
  const parameters = { [name]: value }
  if (column === 'tags') {
    const is = holds('tag', op === '!=' ? { ...condition, op: '=' } : condition, name)
    const sql = `${op === '!=' ? 'NOT ' : ''}EXISTS (SELECT 1 FROM run_tags WHERE run_id = r.id AND ${is})`
    return { sql, parameters }
  }
  if (Object.hasOwn(facts, column))
    return { sql: holds(facts[column as keyof typeof facts], condition, name), parameters }
  return {
    sql: `r.id IN (SELECT run_id FROM run_values v JOIN value_names n ON n.id = v.name_id AND n.name = @${name}Column
      WHERE ${holds('v.value', condition, name)})`,
    parameters: { ...parameters, [`${name}Column`]: column },
  }
}
