import { badFile } from '../../shared/errors.ts'
import type { ReadValue } from './values.ts'

/** The keys of a GGUF file, asked for by the type that is needed. An absent key is undefined, and one of another type an error. */
export class KeyReader {
  /** Path of the file, for messages. */
  readonly path: string
  readonly #values: ReadonlyMap<string, ReadValue>

  constructor(path: string, values: ReadonlyMap<string, ReadValue>) {
    this.path = path
    this.#values = values
  }

  get names(): string[] {
    return [...this.#values.keys()]
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  text(name: string): string | undefined {
    const found = this.#values.get(name)
    if (found === undefined || found.type === 'string') return found?.value
    throw this.#wrong(name, found, 'a text')
  }

  flag(name: string): boolean | undefined {
    const found = this.#values.get(name)
    if (found === undefined || found.type === 'bool') return found?.value
    throw this.#wrong(name, found, 'true or false')
  }

  /** A whole number of any width from `least` to `most`. */
  integer(name: string, { least = 0, most = Number.MAX_SAFE_INTEGER } = {}): number | undefined {
    const found = this.#values.get(name)
    if (found === undefined) return undefined
    if (found.type === 'array' || typeof found.value === 'string' || typeof found.value === 'boolean')
      throw this.#wrong(name, found, 'a whole number')
    return this.#checked(name, found.value, least, most)
  }

  /** A number that is finite. */
  number(name: string): number | undefined {
    const found = this.#values.get(name)
    if (found === undefined) return undefined
    const value = found.type === 'array' ? undefined : found.value
    if (typeof value !== 'number' && typeof value !== 'bigint') throw this.#wrong(name, found, 'a number')
    if (!Number.isFinite(Number(value))) throw badFile(this.path, name, `is ${value}; it must be a finite number`)
    return Number(value)
  }

  texts(name: string): readonly string[] | undefined {
    const found = this.#values.get(name)
    if (found === undefined) return undefined
    if (found.type !== 'array' || found.items !== 'string') throw this.#wrong(name, found, 'a list of texts')
    return found.value
  }

  /** Numbers of a list, of whatever type they are. */
  numbers(name: string): readonly number[] | undefined {
    const found = this.#values.get(name)
    if (found === undefined) return undefined
    if (found.type !== 'array' || found.items === 'string' || found.items === 'bool')
      throw this.#wrong(name, found, 'a list of numbers')
    return Array.from(found.value as ArrayLike<number | bigint>, Number)
  }

  /** Whole numbers of a list, each from `least` to `most`. */
  integers(name: string, { least = 0, most = Number.MAX_SAFE_INTEGER } = {}): readonly number[] | undefined {
    return this.numbers(name)?.map((value, index) => this.#checked(`${name}.${index}`, value, least, most))
  }

  /** A whole number for each layer: a list, or one number for all. */
  integerOfEach(
    name: string,
    count: number,
    range: { least?: number; most?: number } = {},
  ): readonly number[] | undefined {
    if (this.#values.get(name)?.type !== 'array') {
      const value = this.integer(name, range)
      return value === undefined ? undefined : Array.from({ length: count }, () => value)
    }
    const values = this.integers(name, range)!
    if (values.length !== count) throw badFile(this.path, name, `has ${values.length} entries for ${count} layers`)
    return values
  }

  /** @throws SecateurError where there is no such key, or `value` of it is undefined */
  needed<Value>(name: string, value: Value | undefined): Value {
    if (value === undefined) throw badFile(this.path, name, 'is missing; a model needs it')
    return value
  }

  #checked(name: string, value: number | bigint, least: number, most: number): number {
    const number = Number(value)
    if (Number.isInteger(number) && number >= least && number <= most) return number
    throw badFile(this.path, name, `is ${value}; it must be a whole number from ${least} to ${most}`)
  }

  #wrong(name: string, found: ReadValue, wanted: string) {
    const is = found.type === 'array' ? `a list of ${found.items}` : `of type ${found.type}`
    return badFile(this.path, name, `is ${is}; it must be ${wanted}`)
  }
}
