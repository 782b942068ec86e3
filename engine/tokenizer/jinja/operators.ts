import { formatted } from './format.ts'
import {
  boolean,
  equal,
  float,
  integer,
  isFloat,
  isInteger,
  isList,
  isMapping,
  isMissing,
  isNumeric,
  isText,
  isTuple,
  itemsOf,
  kindOf,
  list,
  method,
  repr,
  str,
  text,
  type Value,
} from './values.ts'

const mostRepeated = 2 ** 20

/** A binary operator as Python computes it. @throws TypeError where Python has none for the two */
export function operate(operator: string, left: Value, right: Value): Value {
  switch (operator) {
    case '==':
      return boolean(equal(left, right))
    case '!=':
      return boolean(!equal(left, right))
    case '~':
      return text(str(left) + str(right))
    case 'in':
      return boolean(contains(right, left))
    case 'not in':
      return boolean(!contains(right, left))
  }
  if (isMissing(left) || isMissing(right)) throw new TypeError(`an undefined value has no operator ${operator}`)
  if (['<', '>', '<=', '>='].includes(operator)) return boolean(compares(operator, left, right))
  if (operator === '%' && isText(left)) return text(formatted(left.value, right))
  if (isNumeric(left) && isNumeric(right)) return calculate(operator, left, right)
  if (operator === '+' && isText(left) && isText(right)) return text(left.value + right.value)
  if (operator === '+' && isList(left) && isList(right) && left.type === right.type)
    return sameKind(left, [...left.value, ...right.value])
  if (operator === '*') {
    const [times, what] = isInteger(left) ? [left, right] : [right, left]
    const count = isInteger(times) ? Math.max(0, Number(times.value)) : null
    if (count !== null && (isText(what) || isList(what)) && count * what.value.length > mostRepeated)
      throw new RangeError(`a repetition of more than ${mostRepeated} characters or items`)
    if (count !== null && isText(what)) return text(what.value.repeat(count))
    if (count !== null && isList(what)) return sameKind(what, Array.from({ length: count }, () => what.value).flat())
  }
  throw new TypeError(`unsupported operand type(s) for ${operator}: '${kindOf(left)}' and '${kindOf(right)}'`)
}

function sameKind(like: Value, values: Value[]): Value {
  if (!isTuple(like)) return list(values)
  return Object.assign(Object.create(Object.getPrototypeOf(like) as object) as Value, {
    type: like.type,
    value: values,
  })
}

function contains(container: Value, item: Value): boolean {
  if (isMapping(container)) return isText(item) && container.value.has(item.value)
  if (!isText(container)) return itemsOf(container).some((one) => equal(one, item))
  if (isText(item)) return container.value.includes(item.value)
  throw new TypeError(`'in <string>' requires string as left operand, not ${kindOf(item)}`)
}

function compares(operator: string, left: Value, right: Value): boolean {
  const order = compare(left, right)
  if (operator === '<') return order < 0
  if (operator === '>') return order > 0
  return operator === '<=' ? order <= 0 : order >= 0
}

/** Below 0, 0 or above 0, as `left` comes before `right` or not. @throws TypeError where the two have no order */
export function compare(left: Value, right: Value): number {
  if (isNumeric(left) && isNumeric(right)) return Number(left.value) - Number(right.value)
  if (isText(left) && isText(right)) {
    const [one, other] = [left, right].map(({ value }) => Array.from(value, (character) => character.codePointAt(0)!))
    return firstDifference(one!, other!, (a, b) => a - b)
  }
  if (isList(left) && isList(right) && left.type === right.type)
    return firstDifference(left.value, right.value, compare)
  throw new TypeError(`'<' not supported between instances of '${kindOf(left)}' and '${kindOf(right)}'`)
}

function firstDifference<T>(one: readonly T[], other: readonly T[], order: (a: T, b: T) => number): number {
  for (let index = 0; index < Math.min(one.length, other.length); index++) {
    const difference = order(one[index]!, other[index]!)
    if (difference !== 0) return difference
  }
  return one.length - other.length
}

function calculate(operator: string, left: Value, right: Value): Value {
  const [a, b] = [Number(left.value), Number(right.value)]
  const number = isFloat(left) || isFloat(right) ? float : integer
  if (b === 0 && ['/', '//', '%'].includes(operator)) throw new RangeError('division by zero')
  switch (operator) {
    case '+':
      return number(a + b)
    case '-':
      return number(a - b)
    case '*':
      return number(a * b)
    case '/':
      return float(a / b)
    case '//':
      return number(Math.floor(a / b))
    case '%':
      return number(a - b * Math.floor(a / b))
    case '**': {
      if (a === 0 && b < 0) throw new RangeError('0.0 cannot be raised to a negative power')
      const result = a ** b
      if (!Number.isFinite(result)) throw new RangeError('the result of ** is no finite number')
      return b < 0 ? float(result) : number(result)
    }
    default:
      throw new TypeError(`there is no operator ${operator}`)
  }
}

/** Python's methods of lists that change none; undefined where there is none of that name. */
export function listMethod(items: readonly Value[], name: string): Value | undefined {
  if (name === 'count') return method(([one]) => integer(items.filter((item) => one && equal(item, one)).length))
  if (name !== 'index') return undefined
  return method(([one]) => {
    const index = items.findIndex((item) => one && equal(item, one))
    if (one && index >= 0) return integer(index)
    throw new RangeError(`${one ? repr(one) : 'nothing'} is not in list`)
  })
}
