import { createHash } from 'node:crypto'
import { debug, tally } from '../../shared/log.ts'
import type { HostValues } from './array-pool.ts'
import type { Recorder, Value } from './recorder.ts'
import { type HostValue, OnnxSession } from './runtime.ts'

interface CompiledGraph {
  session: OnnxSession
  /** Position in the recorder's inputs of each array to feed, with its name in the session. */
  feeds: { name: string; position: number }[]
}

/** Graphs that are kept. */
const most = 256

/** Compiled graphs by their structure. The least recently used one is dropped when there are too many. */
export class CompiledGraphs {
  readonly #threads: number
  /** Least recently used first. */
  readonly #compiled = new Map<string, CompiledGraph>()

  /** @param threads threads of one operator */
  constructor(threads: number) {
    this.#threads = threads
  }

  get size(): number {
    return this.#compiled.size
  }

  /**
   * Runs a recorded graph.
   *
   * @param take gives an array of a value's type and size for its result
   * @returns the elements of `values`
   */
  run(recorder: Recorder, values: readonly Value[], take: (value: Value) => HostValues): HostValues[] {
    const { session, feeds: places } = this.#compiledGraph(recorder, values)
    const feeds: Record<string, HostValue> = {}
    for (const { name, position } of places) {
      const { value, data } = recorder.inputs[position]!
      feeds[name] = { type: value.type, dims: value.shape, data, location: 'cpu' }
    }
    const fetches: Record<string, HostValue> = {}
    const results = values.map((value) => {
      const data = take(value)
      fetches[`v${value.id}`] = { type: value.type, dims: value.shape, data, location: 'cpu' }
      return data
    })
    session.run(feeds, fetches)
    return results
  }

  #compiledGraph(recorder: Recorder, values: readonly Value[]): CompiledGraph {
    const key = recorder.key(values)
    let compiled = this.#compiled.get(key)
    if (compiled) {
      this.#compiled.delete(key)
      tally('graph', 'reused')
    } else {
      compiled = this.#compile(recorder, values, key)
      if (this.#compiled.size >= most) this.#dropOldest()
    }
    this.#compiled.set(key, compiled)
    return compiled
  }

  #compile(recorder: Recorder, values: readonly Value[], key: string): CompiledGraph {
    const started = performance.now()
    const { graph, inputIds } = recorder.graph(values)
    const positions = new Map(recorder.inputs.map(({ value }, position) => [value.id, position]))
    const session = new OnnxSession(graph, this.#threads)
    debug('graph', () => {
      const milliseconds = Math.round(performance.now() - started)
      return `compiled ${nameOf(key)}: ${graph.nodes.length} nodes in ${milliseconds} ms; ${this.size} others are kept`
    })
    return { session, feeds: inputIds.map((id) => ({ name: `v${id}`, position: positions.get(id)! })) }
  }

  #dropOldest(): void {
    const [oldest, { session }] = this.#compiled.entries().next().value!
    session.dispose()
    this.#compiled.delete(oldest)
    debug('graph', () => `dropped ${nameOf(oldest)}: ${most} are kept`)
  }

  clear(): void {
    for (const { session } of this.#compiled.values()) session.dispose()
    this.#compiled.clear()
  }
}

/** A short name of a graph's structure for the debug log. */
const nameOf = (key: string) => createHash('sha256').update(key).digest('hex').slice(0, 8)
