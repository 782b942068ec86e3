import * as jinja from '@huggingface/jinja'

// The library's declarations import files without their extensions, which TypeScript does not find: all its types are
// `any` here, and what is used of it is declared below.

/** A value of a template: the library does not export its classes, so they are told by their names. */
export interface Value {
  type: string
  value: unknown
}

/** Those fields of the library's nodes that are read here; which of them a node has follows from its type. */
export interface Node {
  type: string
  value: unknown
  operator: { value: string }
  left: Node
  right: Node
  lhs: Node
  object: Node
  property: Node
  computed: boolean
  start?: Node
  stop?: Node
  step?: Node
  operand: Node
  filter: Node
  callee: Node
  args?: Node[]
  negate: boolean
  test: Node
  loopvar: Node
  iterable: Node
  body: Node[]
  defaultBlock: Node[]
}

export interface Scope {
  /** Adds a plain value. */
  set(name: string, value: unknown): Value
  setVariable(name: string, value: Value): Value
}

interface LibraryInterpreter {
  evaluate(node: Node | undefined, scope: Scope): Value
  run(program: Node): Value
}

export const Environment = jinja.Environment as new (parent?: Scope) => Scope
export const Interpreter = jinja.Interpreter as new (scope: Scope) => LibraryInterpreter

/**
 * @param trims whether blanks before a block, the line break after it, and a last line break are no text
 * @throws Error where the template cannot be read
 */
export const parse = (source: string, trims: boolean): Node => {
  // The library itself leaves out the last line break.
  const text = trims || !source.endsWith('\n') ? source : `${source}\n`
  return jinja.parse(jinja.tokenize(text, { lstrip_blocks: trims, trim_blocks: trims })) as unknown as Node
}
