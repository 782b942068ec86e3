/**
 * Numbers, sizes, times and dates for people: in their locale, with their unit. Formatters are made once, since making one
 * takes longer than using it.
 */

const locale = typeof navigator === 'undefined' ? undefined : navigator.languages?.[0]
const formatter = (options: Intl.NumberFormatOptions) => new Intl.NumberFormat(locale, options)

const whole = formatter({ maximumFractionDigits: 0 })
const thousands = ['', 'K', 'M', 'B', 'T']
const significant = [1, 2, 3, 4, 5, 6].map((digits) => formatter({ maximumSignificantDigits: digits }))
const scientific = formatter({ notation: 'scientific', maximumSignificantDigits: 3 })
const fixed = [0, 1, 2, 3, 4, 5, 6].map((digits) =>
  formatter({ minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: 'negative' }),
)
const percentages = [0, 1, 2].map((digits) =>
  formatter({ style: 'percent', minimumFractionDigits: digits, maximumFractionDigits: digits }),
)
const dateTime = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
const dateOnly = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' })
const timeOnly = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' })
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })

/** What stands between a number's whole part and its decimals. */
export const decimalSeparator =
  formatter({})
    .formatToParts(1.5)
    .find(({ type }) => type === 'decimal')?.value ?? '.'

/** What stands where there is no value. */
export const none = '–'
type Maybe = number | null | undefined
const missing = (value: Maybe): value is null | undefined =>
  value === null || value === undefined || Number.isNaN(value)

/** 12,345 */
export const count = (value: Maybe): string => (missing(value) ? none : whole.format(value))

/** A text that begins with a capital. */
export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** A count of things: "1 file", "3 files". */
export const counted = (value: number, one: string, many = `${one}s`): string =>
  `${whole.format(value)} ${value === 1 ? one : many}`

/** 6.74B, 110M, 512 */
export function parameters(value: Maybe): string {
  if (missing(value)) return none
  // The letters of the field, whatever the language has for them.
  let power = 0
  while (Number((value / 1000 ** power).toPrecision(3)) >= 1000 && power < thousands.length - 1) power++
  return `${significant[2]!.format(value / 1000 ** power)}${thousands[power]}`
}

/** A measured value: 4 significant digits by default, scientific where that would hide it. */
export function number(value: Maybe, digits = 4): string {
  if (missing(value)) return none
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e9)) return scientific.format(value)
  if (Number.isInteger(value)) return whole.format(value)
  return significant[Math.min(6, Math.max(1, digits)) - 1]!.format(value)
}

/** A number with as many decimals as asked for, with the minus that `signed` has; what rounds to zero has none. */
export const decimals = (value: Maybe, digits: number): string =>
  missing(value) ? none : fixed[Math.min(6, Math.max(0, digits))]!.format(value).replace('-', '−')

/** The sign before a change. */
export const sign = (change: number): string => (change > 0 ? '+' : change < 0 ? '−' : '')
/** A change with its sign: "+0.25". */
export const signed = (change: number, digits: number): string => `${sign(change)}${decimals(Math.abs(change), digits)}`
/** A change of a fraction, in percentage points: -0.031 is "−3.1". */
export const points = (change: number): string => signed(100 * change, 1)

/** A fraction as a percentage: 0.25 is "25%". */
export const percent = (fraction: Maybe, digits: 0 | 1 | 2 = 0): string =>
  missing(fraction) ? none : percentages[digits]!.format(fraction)

/** A score with its standard error, both in percent: "61.2% ± 1.4". */
export function score(value: Maybe, standardError: Maybe): string {
  if (missing(value)) return none
  return missing(standardError) ? percent(value, 1) : `${percent(value, 1)} ± ${fixed[1]!.format(standardError * 100)}`
}

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
/** Decimal units, as file managers show them: 13.5 GB. */
export function bytes(value: Maybe): string {
  if (missing(value)) return none
  let size = Math.abs(value)
  let unit = 0
  while (size >= 999.5 && unit < byteUnits.length - 1) {
    size /= 1000
    unit++
  }
  const text = unit === 0 ? whole.format(size) : significant[2]!.format(size)
  return `${value < 0 ? '-' : ''}${text} ${byteUnits[unit]}`
}

/** Sizes along an axis: one unit for all of them, and as many decimals as tell neighbours apart. */
export function byteTicks(ticks: readonly number[]): string[] {
  const largest = Math.max(0, ...ticks.map(Math.abs))
  const power = Math.min(byteUnits.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, largest)) / 3)))
  const unit = 1000 ** power
  const step = ticks.length > 1 ? Math.abs((ticks[1] ?? 0) - (ticks[0] ?? 0)) / unit : 1
  const digits = step > 0 ? Math.min(6, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))) : 0
  return ticks.map((tick) => `${decimals(tick / unit, digits)} ${byteUnits[power]}`)
}

/** Seconds as the two largest units: "2 h 5 min", "45 s", "320 ms". */
export function duration(seconds: Maybe): string {
  if (missing(seconds) || !Number.isFinite(seconds)) return none
  if (seconds > 0 && seconds < 1) return `${whole.format(seconds * 1000)} ms`
  if (seconds < 10) return `${significant[1]!.format(seconds)} s`
  const total = Math.round(seconds)
  const days = Math.floor(total / 86_400)
  const hours = Math.floor((total % 86_400) / 3600)
  const minutes = Math.floor((total % 3600) / 60)
  if (days > 0) return `${whole.format(days)} d ${hours} h`
  if (hours > 0) return `${hours} h ${minutes} min`
  if (minutes > 0) return `${minutes} min ${total % 60} s`
  return `${total} s`
}

const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
/** Seconds since a start, as a clock has them along an axis: "1:05", "2:00:30". */
export function elapsed(seconds: number): string {
  const minutes = seconds / 60
  return minutes < 60
    ? `${Math.floor(minutes)}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}

/** Time left, rounded as estimates deserve: "about 5 min left", "a few seconds left". */
export function timeLeft(seconds: Maybe): string {
  if (missing(seconds) || !Number.isFinite(seconds)) return ''
  if (seconds < 5) return 'a few seconds left'
  if (seconds < 60) return `about ${Math.ceil(seconds / 5) * 5} s left`
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min left`
  return `about ${duration(Math.round(seconds / 300) * 300)} left`
}

/** 1,250 tokens/s */
export const perSecond = (value: Maybe, unit: string): string =>
  missing(value) ? none : `${number(value, 3)} ${unit}/s`

/** Date and time of milliseconds since 1970. */
export const date = (time: Maybe): string => (missing(time) ? none : dateTime.format(time))
export const day = (time: Maybe): string => (missing(time) ? none : dateOnly.format(time))
export const clock = (time: Maybe): string => (missing(time) ? none : timeOnly.format(time))

/** "5 minutes ago", "yesterday"; the date where it is over a month ago. */
export function ago(time: Maybe, now = Date.now()): string {
  if (missing(time)) return none
  const seconds = (time - now) / 1000
  const size = Math.abs(seconds)
  if (size < 45) return 'just now'
  if (size < 3600) return relative.format(Math.round(seconds / 60), 'minute')
  if (size < 86_400) return relative.format(Math.round(seconds / 3600), 'hour')
  if (size < 30 * 86_400) return relative.format(Math.round(seconds / 86_400), 'day')
  return day(time)
}

/** The last part of a path, whatever its separators. */
export const baseName = (path: string): string => /[^/\\]+(?=[/\\]*$)/.exec(path)?.[0] ?? path

/** Name of the folder that a path is in, so that files of one name can be told apart. */
export const folderName = (path: string): string => {
  const [, parent = ''] = /([^/\\]+)[/\\]+[^/\\]+[/\\]*$/.exec(path) ?? []
  return parent
}
