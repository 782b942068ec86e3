import { isLower, isUpper } from './strings.ts'
import {
  isFloat,
  isInteger,
  isList,
  isMapping,
  isMissing,
  isNone,
  isNumeric,
  isText,
  str,
  type Value,
} from './values.ts'

const isBoolean = ({ type }: Value) => type === 'BooleanValue'
const isSequence = (value: Value) => isText(value) || isList(value) || isMapping(value) || isMissing(value)

/** Jinja's tests of a value alone. */
const tests: Record<string, (value: Value) => boolean> = {
  defined: (value) => !isMissing(value),
  undefined: isMissing,
  none: isNone,
  boolean: isBoolean,
  true: (value) => isBoolean(value) && value.value === true,
  false: (value) => isBoolean(value) && value.value === false,
  integer: (value) => isInteger(value) && !isBoolean(value),
  float: isFloat,
  number: isNumeric,
  string: isText,
  mapping: isMapping,
  // An undefined value can be looped over, and is empty.
  iterable: isSequence,
  sequence: isSequence,
  lower: (value) => isLower(str(value)),
  upper: (value) => isUpper(str(value)),
}

/** A test by its name; undefined where it is not known here. */
export const testOf = (name: string): ((value: Value) => boolean) | undefined =>
  Object.hasOwn(tests, name) ? tests[name] : undefined
