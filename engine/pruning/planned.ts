import type { Compatibility, PruneJob } from '../contract/index.ts'
import { compatibilityOf, headsFit, transformersLoads } from '../export/compatibility.ts'
import { isStock } from '../models/decoder-layers.ts'
import type { LayerShape, ModelConfig } from '../models/model-config.ts'
import { layersAfter, type TargetSettings, withBiases } from './targets.ts'

/** The architecture that a run will leave. */
function plannedConfig(config: ModelConfig, target: TargetSettings): ModelConfig {
  const layers = layersAfter(config, target)
  return {
    ...(target.addsBiases ? withBiases(config) : config),
    layers: target.removes === 'groups' && target.ranking === 'global' ? madeToDiffer(layers) : layers,
  }
}

/** Under global ranking it is not known what layers lose, but that they differ in it. */
function madeToDiffer(layers: LayerShape[]): LayerShape[] {
  const [first, ...others] = layers
  if (!first || others.length === 0 || !isStock(layers) || first.channels === 1) return layers
  return [{ ...first, channels: first.channels - 1 }, ...others]
}

/** Which programs will load what a run leaves, and why. */
export const plannedCompatibility = (config: ModelConfig, target: TargetSettings): Compatibility[] =>
  compatibilityOf(plannedConfig(config, target))

/** Ratios that a job may have, in thousandths. */
const ratios = Array.from({ length: 950 }, (_, index) => (index + 1) / 1000)

/**
 * What a person should know before a start: that transformers will refuse the number of heads that the job leaves, and
 * the nearest numbers that it takes.
 */
export function headCountWarnings(job: PruneJob, config: ModelConfig, target: TargetSettings): string[] {
  const planned = plannedConfig(config, target)
  const answer = transformersLoads(planned)
  // A budget with equal counts takes only numbers that fit, and without them none is known yet.
  if (target.budget || answer.loads !== 'no' || !answer.fields.includes('num_attention_heads')) return []
  const left = planned.layers[0]!.heads
  const offers = countsThatLoad(config, target)
  const fewer = offers.findLast(({ heads }) => heads < left)
  const more = offers.find(({ heads }) => heads > left)
  const named = [
    ...(fewer ? [`${fewer.heads} heads with --ratio ${fewer.least}`] : []),
    ...(more ? [`${more.heads} heads with --ratio ${more.most}`] : []),
  ]
  const inPlace =
    job.targetFraction === undefined && job.targetParameters === undefined ? '' : ' in place of the target'
  const remedy =
    named.length > 0
      ? ` Numbers that it takes: ${named.join(', ')}${inPlace}.`
      : ' With these settings no ratio leaves a number that it takes.'
  return [`${left} heads are left in a layer. ${answer.why}${remedy}`]
}

interface Offer {
  heads: number
  /** Ratios that leave so many: the smallest and the largest. */
  least: number
  most: number
}

/** Numbers of heads in a layer, below those of the checkpoint, that transformers takes and a ratio leaves; the fewest first. */
function countsThatLoad(config: ModelConfig, target: TargetSettings): Offer[] {
  if (target.removes !== 'groups' || target.keeps?.includes('heads')) return []
  // All layers keep the same number: one stands for all of them.
  const single = { ...config, layers: config.layers.slice(0, 1) }
  const found = new Map<number, Offer>()
  for (const ratio of ratios) {
    const { heads } = layersAfter(single, { ...target, ratio })[0]!
    if (heads < config.layers[0]!.heads && headsFit(config, heads))
      found.set(heads, { heads, least: found.get(heads)?.least ?? ratio, most: ratio })
  }
  return [...found.values()].toSorted((one, other) => one.heads - other.heads)
}
