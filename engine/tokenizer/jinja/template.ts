import { applyFilter } from './filters.ts'
import { constants, functions } from './globals.ts'
import { Environment, Interpreter, type Node, parse, type Scope } from './library.ts'
import { LoopControl, loopNames, loopOf, unpacked } from './loops.ts'
import { listMethod, operate } from './operators.ts'
import { textMethod } from './strings.ts'
import { testOf } from './tests.ts'
import {
  boolean,
  integer,
  isInteger,
  isList,
  isMapping,
  isMissing,
  isText,
  isTrue,
  itemsOf,
  kindOf,
  list,
  missing,
  str,
  text,
  type Value,
} from './values.ts'

/** Methods of the library that are no part of its types. */
interface Inside {
  evaluateBlock(statements: readonly Node[], environment: Scope): Value
  evaluateArguments(args: readonly Node[], environment: Scope): [Value[], Map<string, Value>]
  applyFilter(operand: Value, filter: Node, environment: Scope): Value
}

export interface TemplateOptions {
  /** Leaves out blanks before a block, the line break after it, and a last line break, as chat templates want it. */
  trims: boolean
  /** Whether a name that is not defined is an error wherever it is used, but for `is defined` and `default`. */
  strict: boolean
  /** Parts of the template that are computed at most, each as often as a loop comes to it. */
  mostSteps: number
}

/**
 * The library's interpreter with Python's meaning of operators, values that are written, methods of texts, filters and
 * tests, where its own is JavaScript's. What neither knows is an error.
 */
class PythonInterpreter extends Interpreter {
  readonly #inside = this as unknown as Inside
  readonly #strict: boolean
  readonly #mostSteps: number
  #steps = 0

  constructor(environment: Scope, { strict, mostSteps }: Pick<TemplateOptions, 'strict' | 'mostSteps'>) {
    super(environment)
    this.#strict = strict
    this.#mostSteps = mostSteps
    this.#inside.evaluateBlock = (statements, scope) => {
      let written = ''
      try {
        for (const statement of statements) {
          const value: Value = this.evaluate(statement, scope)
          // A statement gives none where it writes nothing; an expression that is none is written.
          if (isStatement(statement) && value.type === 'NullValue') continue
          written += str(value)
        }
      } catch (error) {
        if (error instanceof LoopControl) error.written = written + error.written
        throw error
      }
      return text(written)
    }
  }

  override evaluate(node: Node | undefined, environment: Scope): Value {
    const value = this.#evaluate(node, environment)
    if (this.#strict && isMissing(value)) throw new ReferenceError(`${nameOf(node)} is undefined`)
    return value
  }

  /** Also of what is not defined. */
  #evaluate(node: Node | undefined, environment: Scope): Value {
    if (++this.#steps > this.#mostSteps) throw new RangeError(`takes more than ${this.#mostSteps} steps`)
    return this.#python(node, environment) ?? super.evaluate(node, environment)
  }

  #python(node: Node | undefined, environment: Scope): Value | null {
    switch (node?.type) {
      case 'BinaryExpression': {
        if (node.operator.value === 'and' || node.operator.value === 'or') return null
        const left = this.evaluate(node.left, environment)
        return operate(node.operator.value, left, this.evaluate(node.right, environment))
      }
      case 'MemberExpression':
        return this.#member(node, environment)
      case 'FilterExpression': {
        const operand = takesMissing(node) ? this.#evaluate(node.operand, environment) : undefined
        return this.#filter(operand ?? this.evaluate(node.operand, environment), node, environment)
      }
      case 'TestExpression': {
        const passes = testOf(node.test.value as string)?.(this.#evaluate(node.operand, environment))
        return passes === undefined ? null : boolean(passes !== node.negate)
      }
      case 'For':
        return this.#loop(node, environment)
      case 'Break':
      case 'Continue':
        throw new LoopControl(node.type === 'Break')
      default:
        return null
    }
  }

  /** What is set in a loop ends with the iteration, and what was written before `break` and `continue` stays. */
  #loop({ loopvar, iterable, body, defaultBlock }: Node, environment: Scope): Value {
    const { lhs, test } = iterable.type === 'SelectExpression' ? iterable : { lhs: iterable, test: undefined }
    const names = loopNames(loopvar)
    const scopeOf = (item: Value) => {
      const scope = new Environment(environment)
      for (const [name, value] of unpacked(names, item, loopvar.type === 'TupleLiteral')) scope.setVariable(name, value)
      return scope
    }
    const passes = (item: Value) => !test || isTrue(this.evaluate(test, scopeOf(item)))
    const items = itemsOf(this.evaluate(lhs, environment)).filter(passes)
    let written = ''
    // As Jinja has it: an iteration counts where it comes to its end.
    let iterated = false
    for (const [index, item] of items.entries()) {
      const scope = scopeOf(item)
      scope.setVariable('loop', loopOf(items, index))
      try {
        written += str(this.#inside.evaluateBlock(body, scope))
        iterated = true
      } catch (error) {
        if (!(error instanceof LoopControl)) throw error
        written += error.written
        if (error.ends) break
      }
    }
    return text(iterated ? written : written + str(this.#inside.evaluateBlock(defaultBlock, environment)))
  }

  #filter(operand: Value, { filter }: Node, environment: Scope): Value {
    const name = (filter.type === 'Identifier' ? filter : filter.callee).value as string
    const [args, named] = filter.args ? this.#inside.evaluateArguments(filter.args, environment) : [[], new Map()]
    return applyFilter(name, operand, args, named) ?? this.#inside.applyFilter(operand, filter, environment)
  }

  #member({ object: of, property, computed }: Node, environment: Scope): Value {
    const object: Value = this.evaluate(of, environment)
    if (isMissing(object)) throw new TypeError('an undefined value has no attributes or items')
    if (computed && property.type === 'SliceExpression') return this.#slice(object, property, environment)
    const key: Value = computed
      ? this.evaluate(property, environment)
      : property.type === 'IntegerLiteral'
        ? integer(property.value as number)
        : text(property.value as string)
    if (isText(object) || isList(object)) {
      if (isText(key))
        return (isText(object) ? textMethod(object.value, key.value) : listMethod(object.value, key.value)) ?? missing()
      if (!isInteger(key)) return missing()
      const items = isText(object) ? Array.from(object.value, text) : object.value
      return items.at(Number(key.value)) ?? missing()
    }
    if (!isText(key)) return missing()
    const { value, builtins } = object as { value: unknown; builtins?: ReadonlyMap<string, Value> }
    const own = value instanceof Map ? (value.get(key.value) as Value | undefined) : undefined
    // A dot finds a method first, brackets an item.
    const known = isMapping(object) && key.value !== 'dictsort' ? builtins?.get(key.value) : undefined
    return (computed ? (own ?? known) : (known ?? own)) ?? missing()
  }

  #slice(object: Value, property: Node, environment: Scope): Value {
    if (!isText(object) && !isList(object)) throw new TypeError(`'${kindOf(object)}' object cannot be sliced`)
    const [start, stop, step = 1] = [property.start, property.stop, property.step].map((part) => {
      const value: Value | undefined = part && this.evaluate(part, environment)
      return value && isInteger(value) ? Number(value.value) : undefined
    })
    const items: Value[] = isText(object) ? Array.from(object.value, text) : object.value
    const cut = sliced(items, start, stop, step)
    return isText(object) ? text(cut.map(str).join('')) : list(cut)
  }
}

/** Python's `items[start:stop:step]`. */
function sliced(items: readonly Value[], start: number | undefined, stop: number | undefined, step: number): Value[] {
  if (step === 0) throw new RangeError('slice step cannot be zero')
  const [low, high] = step > 0 ? [0, items.length] : [-1, items.length - 1]
  const place = (index: number) => Math.min(Math.max(index < 0 ? index + items.length : index, low), high)
  const from = start === undefined ? (step > 0 ? low : high) : place(start)
  const to = stop === undefined ? (step > 0 ? high : low) : place(stop)
  const cut: Value[] = []
  for (let index = from; step > 0 ? index < to : index > to; index += step) cut.push(items[index]!)
  return cut
}

const statements = new Set([
  'Set',
  'If',
  'For',
  'Macro',
  'CallStatement',
  'FilterStatement',
  'Break',
  'Continue',
  'Comment',
])
const isStatement = ({ type }: Node) => statements.has(type)

const takesMissing = ({ filter }: Node): boolean =>
  ['default', 'd'].includes((filter.type === 'Identifier' ? filter : filter.callee).value as string)

const nameOf = (node: Node | undefined): string =>
  node?.type === 'Identifier'
    ? `'${String(node.value)}'`
    : node?.type === 'MemberExpression' && node.property.value !== undefined
      ? `'${String(node.property.value)}'`
      : 'a value'

/** A Jinja template, with the settings that transformers gives to chat templates unless others are given. */
export class PythonTemplate {
  readonly #program: Node
  readonly #options: TemplateOptions

  /** @throws Error where the template cannot be read */
  constructor(source: string, options: Partial<TemplateOptions> = {}) {
    this.#options = { trims: true, strict: false, mostSteps: Infinity, ...options }
    // Jinja reads every kind of line break as one.
    this.#program = parse(source.replaceAll(/\r\n?/g, '\n'), this.#options.trims)
  }

  /** @throws Error where the template refuses what it is given, or uses what is not known here */
  render(variables: Record<string, unknown>): string {
    const environment = new Environment()
    for (const [name, value] of Object.entries(functions)) environment.setVariable(name, value)
    for (const [name, value] of Object.entries({ ...constants, ...variables })) environment.set(name, value)
    return str(new PythonInterpreter(environment, this.#options).run(this.#program))
  }
}
