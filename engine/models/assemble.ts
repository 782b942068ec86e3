import { runToEnd } from '../shared/run-to-end.ts'
import type { Weight } from '../tensor/frozen-weight.ts'
import type { Tensor } from '../tensor/tf.ts'
import type { Layer, Model, TensorSpec } from './family.ts'
import type { ModelConfig } from './model-config.ts'
import { familyOf } from './registry.ts'

/** Where the parts of a model come from: a checkpoint, tensors that are trained, or numbers that are drawn. */
export interface PartSource {
  /** Rows first to first + count of a stored matrix; all of them but where several linear layers are stored as one. */
  matrix(spec: TensorSpec, first: number, count: number): Weight
  /** Elements first to first + count of a bias. */
  bias(spec: TensorSpec, first: number, count: number): Tensor
  /** A norm's factors, the offset of its role added. */
  norm(spec: TensorSpec, offset: 0 | 1): Tensor
}

/** Puts a model together from its parts, in the order of `Family.tensors`; yields after each layer. */
export function* assemble(config: ModelConfig, source: PartSource): Generator<undefined, Model> {
  const family = familyOf(config)
  const layers = config.layers.map((shape): Layer => ({ shape, linears: {}, norms: {} }))
  const norms: Model['norms'] = {}
  let embedding: Weight | null = null
  let head: Weight | null = null
  let last: number | null = null
  for (const spec of family.tensors(config)) {
    const { role, shape } = spec
    const at = role.layer
    if (last !== null && at !== last) yield
    last = at
    switch (role.part) {
      case 'embedding':
        embedding = source.matrix(spec, 0, shape[0]!)
        break
      case 'head':
        head = source.matrix(spec, 0, shape[0]!)
        break
      case 'norm':
        ;(at === null ? norms : layers[at]!.norms)[role.norm] = source.norm(spec, role.offset)
        break
      default:
        putLinears(layers[role.layer]!, config, spec, source)
    }
  }
  const headOf = (): Model['head'] => {
    if (family.task === 'causal-lm') return { weight: head ?? embedding!, bias: null }
    return head && { weight: head, bias: norms['headBias'] ?? null }
  }
  return { family, config, embedding: embedding!, layers, norms, head: headOf() }
}

/** One layer of it by itself. */
export function assembleLayer(config: ModelConfig, at: number, source: PartSource): Layer {
  const layer: Layer = { shape: config.layers[at]!, linears: {}, norms: {} }
  for (const spec of familyOf(config).tensors(config)) {
    const { role } = spec
    if (role.layer !== at) continue
    if (role.part === 'norm') layer.norms[role.norm] = source.norm(spec, role.offset)
    else putLinears(layer, config, spec, source)
  }
  return layer
}

/** The model without its layers: what embeds. */
export function assembleEmbedding(config: ModelConfig, source: PartSource): Model {
  const family = familyOf(config)
  const spec = family.tensors(config).find(({ role }) => role.part === 'embedding')!
  return { family, config, embedding: source.matrix(spec, 0, spec.shape[0]!), layers: [], norms: {}, head: null }
}

/** Puts the linear layers that a weight or a bias stores into their layer: one, or several in rows that follow each other. */
function putLinears(layer: Layer, config: ModelConfig, spec: TensorSpec, source: PartSource): void {
  const { role } = spec
  if (role.part !== 'weight' && role.part !== 'bias') return
  let first = 0
  for (const { name, outputs } of familyOf(config).linears(config, layer.shape)) {
    if (!role.linears.includes(name)) continue
    if (role.part === 'weight') layer.linears[name] = { weight: source.matrix(spec, first, outputs), bias: null }
    else layer.linears[name]!.bias = source.bias(spec, first, outputs)
    first += outputs
  }
}

/** A whole model in one go. */
export const assembleModel = (config: ModelConfig, source: PartSource): Model => runToEnd(assemble(config, source))
