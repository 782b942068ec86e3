import {
  floatText,
  isInteger,
  isList,
  isMapping,
  isNumeric,
  isTuple,
  kindOf,
  type List,
  repr,
  str,
  type Value,
} from './values.ts'

const conversion = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\d+))?[hlL]?(.)?/gsu

/** Python's `'...' % values`. @throws TypeError where values and conversions do not fit */
export function formatted(format: string, given: Value): string {
  const values = isTuple(given) ? (given as List).value : [given]
  let used = 0
  const next = (name: string | undefined): Value => {
    if (name !== undefined) {
      const value = isMapping(given) ? given.value.get(name) : undefined
      if (!value) throw new TypeError(`the format names ${name}, which is not there`)
      return value
    }
    const value = values[used++]
    if (!value) throw new TypeError('not enough arguments for format string')
    return value
  }
  const result = format.replaceAll(
    conversion,
    (
      _,
      name: string | undefined,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      kind: string | undefined,
    ) => {
      if (kind === '%') return '%'
      if (kind === undefined) throw new TypeError('incomplete format')
      const wide = width === '*' ? Number(next(undefined).value) : Number(width ?? 0)
      const piece = convert(kind, next(name), flags, precision === undefined ? undefined : Number(precision))
      return padded(piece, wide, flags, 'diufFeEgGxXo'.includes(kind))
    },
  )
  if (used < values.length && !isMapping(given) && !(isList(given) && !isTuple(given) && used > 0))
    throw new TypeError('not all arguments converted during string formatting')
  return result
}

function convert(kind: string, value: Value, flags: string, precision: number | undefined): string {
  if (kind === 's' || kind === 'r') {
    const written = kind === 's' ? str(value) : repr(value)
    return precision === undefined ? written : Array.from(written).slice(0, precision).join('')
  }
  if (kind === 'c' && isInteger(value)) return String.fromCodePoint(Number(value.value))
  if (kind === 'c') return str(value)
  if (!isNumeric(value)) throw new TypeError(`%${kind} format: a real number is required, not ${kindOf(value)}`)
  const number = Number(value.value)
  const sign = number < 0 || Object.is(number, -0) ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : ''
  return sign + unsigned(kind, Math.abs(number), flags, precision)
}

function unsigned(kind: string, number: number, flags: string, precision: number | undefined): string {
  switch (kind) {
    case 'd':
    case 'i':
    case 'u':
      return String(Math.trunc(number)).padStart(precision ?? 0, '0')
    case 'x':
    case 'X':
    case 'o': {
      const digits = Math.trunc(number)
        .toString(kind === 'o' ? 8 : 16)
        .padStart(precision ?? 0, '0')
      const prefix = flags.includes('#') ? (kind === 'o' ? '0o' : '0x') : ''
      return kind === 'X' ? (prefix + digits).toUpperCase() : prefix + digits
    }
    case 'f':
    case 'F':
      return Number.isFinite(number) ? number.toFixed(precision ?? 6) : floatText(number)
    case 'e':
    case 'E': {
      const [digits, power] = number.toExponential(precision ?? 6).split('e') as [string, string]
      const written = `${digits}e${power[0]}${power.slice(1).padStart(2, '0')}`
      return kind === 'E' ? written.toUpperCase() : written
    }
    default:
      throw new TypeError(`unsupported format character '${kind}'`)
  }
}

function padded(piece: string, width: number, flags: string, isNumber: boolean): string {
  const missing = width - Array.from(piece).length
  if (missing <= 0) return piece
  if (flags.includes('-')) return piece + ' '.repeat(missing)
  if (!isNumber || !flags.includes('0')) return ' '.repeat(missing) + piece
  const sign = /^[-+ ]?(?:0[xXoO])?/.exec(piece)![0]
  return sign + '0'.repeat(missing) + piece.slice(sign.length)
}
