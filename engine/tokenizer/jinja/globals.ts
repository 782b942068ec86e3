import { integer, isInteger, list, method, str, text, type Value } from './values.ts'

const months = 'January February March April May June July August September October November December'.split(' ')
const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')
const two = (number: number) => String(number).padStart(2, '0')

/** Python's `datetime.now().strftime(format)` in English. @throws TypeError for what templates do not use */
export function strftime(date: Date, format: string): string {
  return format.replaceAll(/%(-?.)/gsu, (_, directive: string) => {
    const month = months[date.getMonth()]!
    const day = days[date.getDay()]!
    const known: Record<string, string> = {
      Y: String(date.getFullYear()),
      y: two(date.getFullYear() % 100),
      m: two(date.getMonth() + 1),
      d: two(date.getDate()),
      '-d': String(date.getDate()),
      '-m': String(date.getMonth() + 1),
      B: month,
      b: month.slice(0, 3),
      A: day,
      a: day.slice(0, 3),
      H: two(date.getHours()),
      I: two(date.getHours() % 12 || 12),
      M: two(date.getMinutes()),
      S: two(date.getSeconds()),
      p: date.getHours() < 12 ? 'AM' : 'PM',
      '%': '%',
    }
    if (known[directive] === undefined) throw new TypeError(`strftime_now: %${directive} is not known here`)
    return known[directive]
  })
}

const mostNumbers = 100_000

function range(args: readonly Value[]): Value {
  const numbers = args.map((value) => (isInteger(value) ? Number(value.value) : NaN))
  const [start, stop, step = 1] = numbers.length === 1 ? [0, numbers[0]!] : (numbers as [number, number, number?])
  if (numbers.some(Number.isNaN) || step === 0) throw new TypeError('range() takes whole numbers, and no step of 0')
  const length = Math.max(0, Math.ceil((stop - start) / step))
  if (length > mostNumbers) throw new RangeError(`range() of more than ${mostNumbers} numbers`)
  return list(Array.from({ length }, (_, index) => integer(start + index * step)))
}

/** Functions that transformers gives to chat templates. */
export const functions: Record<string, Value> = {
  range: method(range),
  raise_exception: method(([message]) => {
    throw new Error(message ? str(message) : 'the template raised an exception')
  }),
  strftime_now: method(([format]) => text(strftime(new Date(), format ? str(format) : ''))),
}
export const constants = { true: true, false: false, none: null, True: true, False: false, None: null }
