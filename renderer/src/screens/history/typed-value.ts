import { type Column, runSchema, runState } from '../../../../electron/contract/index.ts'
import { runKindName, runStateName } from '../../names.ts'

const powers: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9, b: 1e9, t: 1e12 }
const secondsOf: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, min: 60, m: 60, h: 3600, d: 86_400 }

/**
 * What is typed as a value of a column, in the unit that the column has: 30% as 0.3, 90M as 90 000 000, 2h as 7200, 4GB in
 * bytes. Null where it is no such value.
 */
export function typedNumber(type: Column['type'], text: string): number | null {
  const [, digits, unit = ''] = /^([-+]?(?:\d[\d,]*)?\.?\d+(?:e[-+]?\d+)?)\s*([a-z%]*)$/i.exec(text) ?? []
  if (digits === undefined) return null
  const value = Number(digits.replaceAll(',', ''))
  const factor = factorOf(type, unit.toLowerCase())
  return factor === undefined || !Number.isFinite(value) ? null : value * factor
}

function factorOf(type: Column['type'], unit: string): number | undefined {
  if (unit === '') return 1
  if (type === 'fraction') return unit === '%' ? 0.01 : undefined
  if (type === 'seconds') return secondsOf[unit]
  if (type === 'bytes') return unit === 'b' ? 1 : powers[unit.replace(/b$/, '')]
  return type === 'number' ? powers[unit] : undefined
}

/** A day or a moment, as its first and its last millisecond; "7d" is seven days ago. Null where it is neither. */
export function typedTime(text: string, now: number): { from: number; to: number } | null {
  const [, days] = /^(\d{1,5})d$/i.exec(text) ?? []
  if (days !== undefined) return { from: now - Number(days) * 86_400_000, to: now - Number(days) * 86_400_000 }
  const today = new Date(now)
  today.setHours(0, 0, 0, 0)
  const offset = { today: 0, yesterday: -1 }[text.toLowerCase()]
  if (offset !== undefined) return dayAt(new Date(today.getFullYear(), today.getMonth(), today.getDate() + offset))
  const [, year, month, day, rest] = /^(\d{4})-(\d{2})-(\d{2})(T\d{2}:\d{2}(?::\d{2})?)?$/.exec(text) ?? []
  if (year === undefined) return null
  if (rest === undefined) {
    const date = new Date(Number(year), Number(month) - 1, Number(day))
    return date.getMonth() === Number(month) - 1 && date.getDate() === Number(day) ? dayAt(date) : null
  }
  const moment = new Date(text).getTime()
  return Number.isNaN(moment) ? null : { from: moment, to: moment }
}

const dayAt = (date: Date) => ({
  from: date.getTime(),
  to: new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime() - 1,
})

/** The contract's word for what a state or a kind is called on screens. */
export function typedWord(column: string, text: string): string {
  const named = { state: runStateName, kind: runKindName }[column]
  const words = { state: runState.options, kind: runSchema.shape.kind.options }[column] ?? []
  return words.find((word) => named?.(word).toLowerCase() === text.toLowerCase()) ?? text
}
