import type { GgufLayout } from '../../contract/index.ts'
import { isStock } from '../../models/decoder-layers.ts'
import type { LinearName, TensorSpec } from '../../models/family.ts'
import type { GgufTraits } from '../../models/gguf-traits.ts'
import type { LayerShape, ModelConfig } from '../../models/model-config.ts'
import { familyOf } from '../../models/registry.ts'

/** Heads and channels of a layer as the file has them: the checkpoint's number of each, or -1 for one of zeros. */
export interface LayerPlan {
  heads: Int32Array
  keyValueHeads: Int32Array
  channels: Int32Array
}

/** A way to write a model's layers. */
export interface Layout {
  name: GgufLayout
  /** The model as the file says it. */
  config: ModelConfig
  layers: LayerPlan[]
}

/** The checkpoint's row and column for each of a tensor's in the file, -1 for zeros; null: all as they are. */
export interface Placement {
  rows: Int32Array | null
  columns: Int32Array | null
}

const none = -1

/**
 * Every way in which a file can hold the model, the plainest first: as it is, layer by layer where the family has an
 * architecture for that, and filled up with zeros to the widest layer. Added heads and channels give exactly zero.
 *
 * @param multiple channels are filled up to a multiple of this
 */
export function layoutsOf(config: ModelConfig, traits: GgufTraits, multiple = 1): Layout[] {
  const shapes = config.layers.map((shape) => headsOf(shape))
  const filled = config.layers.map(({ channels }) => Math.ceil(channels / multiple) * multiple)
  const own: LayerPlan[] = shapes.map((shape, layer) =>
    planOf(regular(shape), shape, config.layers[layer]!, filled[layer]!),
  )
  const layouts: Layout[] = []
  const plain = layoutOf('stock', config, own)
  const fits =
    !traits.headsFillHidden || plain.config.layers.every(({ heads }) => heads * config.headSize === config.hiddenSize)
  const changed = own.some((layer) =>
    [layer.heads, layer.keyValueHeads, layer.channels].some((list) => list.includes(none)),
  )
  if (isStock(plain.config.layers) && fits) layouts.push({ ...plain, name: changed ? 'padded' : 'stock' })
  else if (traits.perLayer !== null) layouts.push({ ...plain, name: traits.perLayer })
  const widest = commonShape(shapes, traits.headsFillHidden ? config.hiddenSize / config.headSize : null)
  if (widest) {
    const channels = Math.max(...filled)
    const padded = shapes.map((shape, layer) => planOf(widest, shape, config.layers[layer]!, channels))
    if (!layouts.some(({ config: { layers } }) => isStock(layers))) layouts.push(layoutOf('padded', config, padded))
  }
  return layouts
}

function layoutOf(name: GgufLayout, config: ModelConfig, layers: LayerPlan[]): Layout {
  const shapes = config.layers.map(({ attention }, layer): LayerShape => {
    const { heads, keyValueHeads, channels } = layers[layer]!
    return {
      heads: heads.length,
      keyValueHeads: keyValueHeads.length,
      channels: channels.length,
      ...(attention && { attention }),
    }
  })
  return { name, config: { ...config, layers: shapes }, layers }
}

/** For each key/value head that is read, the query heads that read it. */
type Readers = readonly { head: number; readers: readonly number[] }[]

function headsOf({ heads, keyValueHeads, keyValueHeadOf }: LayerShape): Readers {
  const of = keyValueHeadOf ?? Array.from({ length: heads }, (_, head) => Math.floor((head * keyValueHeads) / heads))
  return Array.from({ length: keyValueHeads }, (_, head) => ({
    head,
    readers: [...of.keys()].filter((query) => of[query] === head),
  })).filter(({ readers }) => readers.length > 0)
}

/** So many key/value heads, each of which is read by so many query heads. */
interface HeadCounts {
  keyValueHeads: number
  readers: number
}

/** Rows and columns that heads take in a layer: of q, k, v and o. */
const widthOf = ({ keyValueHeads, readers }: HeadCounts) => 2 * keyValueHeads * readers + 2 * keyValueHeads

/** The least even arrangement that one layer fits into: heads of zeros beside those that are, or keys for each query head. */
function regular(heads: Readers): HeadCounts {
  const most = heads.reduce((largest, { readers }) => Math.max(largest, readers.length), 0)
  const filled = { keyValueHeads: heads.length, readers: most }
  const own = { keyValueHeads: heads.reduce((sum, { readers }) => sum + readers.length, 0), readers: 1 }
  return widthOf(own) < widthOf(filled) ? own : filled
}

/**
 * The least even arrangement that all layers fit into.
 *
 * @param total query heads that there must be; null where any number will do
 */
function commonShape(layers: readonly Readers[], total: number | null): HeadCounts | null {
  const most = (of: (heads: Readers) => number) => Math.max(...layers.map(of))
  const readers = most((heads) => Math.max(...heads.map((each) => each.readers.length)))
  const keyValueHeads = most((heads) => heads.length)
  const queries = most((heads) => heads.reduce((sum, each) => sum + each.readers.length, 0))
  if (total === null) {
    const filled = { keyValueHeads, readers }
    const own = { keyValueHeads: queries, readers: 1 }
    return widthOf(own) < widthOf(filled) ? own : filled
  }
  const possible = Array.from({ length: total }, (_, i) => i + 1)
    .filter((count) => total % count === 0)
    .map((count): HeadCounts => ({ keyValueHeads: total / count, readers: count }))
    .filter((counts) =>
      counts.readers === 1 ? queries <= total : counts.readers >= readers && counts.keyValueHeads >= keyValueHeads,
    )
  return possible.toSorted((one, other) => widthOf(one) - widthOf(other))[0] ?? null
}

function planOf(counts: HeadCounts, heads: Readers, { channels }: LayerShape, filled: number): LayerPlan {
  // Where every query head gets key and value heads of its own, those of its group are written several times.
  const groups =
    counts.readers === 1
      ? heads.flatMap(({ head, readers }) => readers.map((reader) => ({ head, readers: [reader] })))
      : heads
  const keyValueHeads = new Int32Array(counts.keyValueHeads).fill(none)
  const queries = new Int32Array(counts.keyValueHeads * counts.readers).fill(none)
  for (const [index, { head, readers }] of groups.entries()) {
    keyValueHeads[index] = head
    queries.set(readers, index * counts.readers)
  }
  return {
    heads: queries,
    keyValueHeads,
    channels: Int32Array.from({ length: filled }, (_, i) => (i < channels ? i : none)),
  }
}

/** What the rows or columns of a linear layer are; the others are features of the model. */
const sides: Readonly<Record<LinearName, { along: 'rows' | 'columns'; of: keyof LayerPlan }>> = {
  q: { along: 'rows', of: 'heads' },
  k: { along: 'rows', of: 'keyValueHeads' },
  v: { along: 'rows', of: 'keyValueHeads' },
  o: { along: 'columns', of: 'heads' },
  gate: { along: 'rows', of: 'channels' },
  up: { along: 'rows', of: 'channels' },
  down: { along: 'columns', of: 'channels' },
}

/**
 * Where the rows and columns of a tensor come from.
 *
 * @param original the checkpoint's config
 */
export function placementOf({ role }: TensorSpec, { layers }: Layout, original: ModelConfig): Placement {
  if (role.part !== 'weight' && role.part !== 'bias') return { rows: null, columns: null }
  const plan = layers[role.layer]!
  const specs = familyOf(original).linears(original, original.layers[role.layer]!)
  const listOf = (name: LinearName): Int32Array => {
    const { of } = sides[name]!
    return of === 'channels' ? plan.channels : elementsOfHeads(plan[of], original.headSize)
  }
  const [first] = role.linears
  if (role.part === 'weight' && role.linears.length === 1 && sides[first!]!.along === 'columns')
    return { rows: null, columns: unlessPlain(listOf(first!)) }
  let start = 0
  const rows = role.linears.flatMap((name) => {
    const { outputs } = specs.find((spec) => spec.name === name)!
    const own = sides[name]!.along === 'rows' ? [...listOf(name)] : Array.from({ length: outputs }, (_, i) => i)
    const placed = own.map((row) => (row === none ? none : start + row))
    start += outputs
    return placed
  })
  return { rows: unlessPlain(Int32Array.from(rows)), columns: null }
}

const elementsOfHeads = (heads: Int32Array, headSize: number): Int32Array =>
  Int32Array.from({ length: heads.length * headSize }, (_, i) => {
    const head = heads[Math.floor(i / headSize)]!
    return head === none ? none : head * headSize + (i % headSize)
  })

const unlessPlain = (list: Int32Array): Int32Array | null => (list.every((from, to) => from === to) ? null : list)
