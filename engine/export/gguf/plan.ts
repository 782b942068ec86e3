import { type PlannedGgufTensor, ggufBytes } from '../../checkpoint/gguf/writer.ts'
import type { ExportGgufJob, GgufLayout, GgufType } from '../../contract/index.ts'
import { SecateurError } from '../../shared/errors.ts'
import { sizeText } from '../../shared/size-text.ts'
import { type GgufTensor, ggufTensors, ggufTraitsOf, neighbourRows, ropeFactorsName } from '../../models/gguf.ts'
import { rotaryFactors } from '../../models/gguf-keys.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { type Layout, layoutsOf, type Placement, placementOf } from './layout.ts'
import { isQuantised, tensorTypeOf } from './tensor-types.ts'

/** A tensor of the file, and where it comes from. */
export interface ExportTensor extends PlannedGgufTensor, Placement {
  /** The checkpoint's tensor, or numbers that stand in no checkpoint. */
  from: { tensor: GgufTensor } | { values: Float32Array }
  /** Rows that belong together, since `rows` changes their order within. */
  together: number
}

export interface ExportPlan {
  layout: Layout
  tensors: ExportTensor[]
  /** Of all tensors in the file. */
  bytes: number
  /** Ways to write the layers, the smallest first, and the bytes of all tensors that each comes to. */
  sizes: { layout: GgufLayout; bytes: number }[]
  /** How layers that differ are written, and what other ways would have taken, in words; null where all are alike. */
  said: string | null
}

/**
 * How a checkpoint is written: of all layouts that the job allows the smallest, where channels may be filled up with zeros
 * to whole blocks of the type.
 *
 * @param file for messages
 * @throws SecateurError where no layout can hold the model
 */
export function planExport(
  config: ModelConfig,
  { type, layout }: Pick<ExportGgufJob, 'type' | 'layout'>,
  file: string,
): ExportPlan {
  const traits = ggufTraitsOf(config, file)
  const plans = multiples(type).flatMap((multiple) =>
    layoutsOf(config, traits, multiple).map((each) => planOf(config, each, type, file)),
  )
  const allowed = plans.filter((plan) => layout === 'auto' || plan.layout.name === layout)
  const [first] = allowed
  if (!first) {
    const possible = [...new Set(plans.map((plan) => plan.layout.name))]
    const why =
      possible.length === 0
        ? 'cannot be said in GGUF: llama.cpp takes no such numbers of heads in this family'
        : `cannot be written as ${layout}; possible here: ${possible.join(', ')}`
    throw new SecateurError('unsupported', why, {
      file,
      field: possible.length === 0 ? 'num_attention_heads' : 'layout',
    })
  }
  const smallest = allowed.reduce((best, plan) => (plan.bytes < best.bytes ? plan : best))
  const sizes = sizesOf(plans)
  return { ...smallest, sizes, said: sayLayout(smallest, sizes) }
}

/** One way to write a checkpoint. */
type LayoutPlan = Omit<ExportPlan, 'sizes' | 'said'>

/** What channels may be filled up to a multiple of. */
const multiples = (type: GgufType): number[] => (isQuantised(type) ? [1, 32, 256] : [1])

function planOf(config: ModelConfig, layout: Layout, type: GgufType, file: string): LayoutPlan {
  const tensors = ggufTensors(layout.config, file).map((tensor): ExportTensor => {
    const { spec, headRows, name } = tensor
    const { rows, columns } = placementOf(spec, layout, config)
    return {
      name,
      shape: spec.shape,
      type: tensorTypeOf({ role: spec.role, shape: spec.shape }, type, layout.config),
      from: { tensor },
      rows: headRows === null ? rows : neighbourRows(rows, spec.shape[0]!, headRows),
      columns,
      together: headRows ?? 1,
    }
  })
  const factors = rotaryFactors(config)
  if (factors)
    tensors.push({
      name: ropeFactorsName,
      shape: [factors.length],
      type: 'F32',
      from: { values: factors },
      rows: null,
      columns: null,
      together: 1,
    })
  return { layout, tensors, bytes: tensors.reduce((sum, each) => sum + ggufBytes(each.type, each.shape), 0) }
}

/** The least that each layout comes to, the smallest first. */
function sizesOf(plans: readonly LayoutPlan[]): ExportPlan['sizes'] {
  const least = new Map<GgufLayout, number>()
  for (const { layout, bytes } of plans) least.set(layout.name, Math.min(bytes, least.get(layout.name) ?? Infinity))
  return [...least].map(([layout, bytes]) => ({ layout, bytes })).toSorted((one, other) => one.bytes - other.bytes)
}

const ways: Readonly<Record<GgufLayout, string>> = {
  deci: 'layer by layer, as the architecture deci',
  padded: 'filled up with heads and channels of zeros, which change no result',
  stock: 'as it is',
}

/** What is written, and the sizes of the other ways. */
function sayLayout({ layout: { name }, bytes }: LayoutPlan, sizes: ExportPlan['sizes']): string | null {
  if (name === 'stock') return null
  const others = sizes.filter(({ layout }) => layout !== name)
  const compared = others.map((other) => `; ${ways[other.layout]}: ${sizeText(other.bytes)}`).join('')
  return `The model is written ${ways[name]}: ${sizeText(bytes)}${compared}.`
}
