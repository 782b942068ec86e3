import { type PlannedGgufTensor, ggufBytes } from '../../checkpoint/gguf/writer.ts'
import type { ExportGgufJob, GgufType } from '../../contract/index.ts'
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
  return { ...smallest, said: sayLayout(smallest, plans) }
}

/** What channels may be filled up to a multiple of. */
const multiples = (type: GgufType): number[] => (isQuantised(type) ? [1, 32, 256] : [1])

function planOf(config: ModelConfig, layout: Layout, type: GgufType, file: string): Omit<ExportPlan, 'said'> {
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

/** What is written, and the sizes of the other ways. */
function sayLayout(chosen: Omit<ExportPlan, 'said'>, plans: readonly Omit<ExportPlan, 'said'>[]): string | null {
  if (chosen.layout.name === 'stock') return null
  const smallestOf = (name: string) =>
    plans.filter(({ layout }) => layout.name === name).reduce((least, { bytes }) => Math.min(least, bytes), Infinity)
  const { name } = chosen.layout
  const others = [...new Set(plans.map(({ layout }) => layout.name))].filter((other) => other !== name)
  const ways: Record<string, string> = {
    deci: 'layer by layer, as the architecture deci',
    padded: 'filled up with heads and channels of zeros, which change no result',
    stock: 'as it is',
  }
  const compared = others.map((other) => `; ${ways[other]}: ${sizeText(smallestOf(other))}`).join('')
  return `The model is written ${ways[name]}: ${sizeText(chosen.bytes)}${compared}.`
}
