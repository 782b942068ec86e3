import { criteria, type PruneJob } from '../contract/index.ts'
import { type Kind, kinds } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { groupCount } from './groups.ts'
import { layoutOf } from './layout.ts'
import { unscoredKinds } from './scorable.ts'
import { finalCounts, isPruned, layersRemoved, removalCounts, type TargetSettings } from './targets.ts'
import { sum } from '../shared/sum.ts'

/** What a person should know of a pruning job before it starts: above all, what it asks for and does not do. */
export function pruningWarnings(job: PruneJob, config: ModelConfig, target: TargetSettings): string[] {
  const warnings: string[] = []
  if (target.removes === 'weights') return warnings
  if (!config.layers.some((_, layer) => isPruned(config, layer, target)))
    return ['Nothing leaves: every layer is protected (--protect-first, --protect-last).']
  warnings.push(...layoutWarnings(job, config, target))
  if (target.budget) return warnings
  if (target.removes === 'layers') return [...warnings, ...layerWarnings(config, target)]
  for (const kind of kinds) {
    if (!job.prune.includes(kind)) continue
    const floored = floorWarning(config, kind, target)
    if (target.keeps?.includes(kind))
      warnings.push(
        `All ${kind} stay: ${job.criterion} cannot score them, since none of the linear layers that would show them has an adapter (--target-modules ${job.targetModules.join(' ')}).`,
      )
    else if (floored !== null) warnings.push(floored)
    else if (target.counts === 'parameters') {
      if (!leaves(config, kind, target))
        warnings.push(
          `No ${kind} leave: the number that is nearest to ${percent(target.ratio)} of them is none. The others make up for them, so that as many parameters leave as were asked for.`,
        )
    } else if (!leaves(config, kind, target)) warnings.push(noneLeaves(job, config, kind, target))
    else if (kind === 'channels') warnings.push(...multipleWarnings(config, target))
    const atOnce = fewGroupsWarning(config, kind, target)
    if (atOnce !== null) warnings.push(atOnce)
  }
  return warnings
}

/** Said of the first layer that keeps all its channels beside others that lose some, though they are no multiple. */
function multipleWarnings(config: ModelConfig, target: TargetSettings): string[] {
  const { channelMultiple: multiple } = target
  const counts = finalCounts(config, 'channels', target)
  const whole = config.layers.findIndex(
    ({ channels }, layer) => isPruned(config, layer, target) && counts[layer] === 0 && channels % multiple > 0,
  )
  if (whole < 0) return []
  const { channels } = config.layers[whole]!
  return [
    `Layer ${whole} keeps all of its ${channels} channels, which are no multiple of ${multiple} (--channel-multiple): the next one below would be less than the ratio leaves.`,
  ]
}

/** With so few groups in a layer, one of them is a large part of it. */
const fewGroups = 4

/**
 * Said where all layers lose a large part of a kind at the same step, since a ratio gives each of them the same whole number of
 * few groups; null otherwise. docs/experiments.md has what that did to a real language model.
 */
function fewGroupsWarning(config: ModelConfig, kind: Kind, target: TargetSettings): string | null {
  if (target.ranking === 'global' || target.keeps?.includes(kind)) return null
  const counts = finalCounts(config, kind, target)
  const groups = config.layers.map((_, layer) => groupCount(config, layer, kind, target.headGroups))
  const losing = groups.filter((_, layer) => counts[layer]! > 0)
  const most = Math.max(...losing)
  if (losing.length < 2 || most > fewGroups) return null
  return `All layers lose ${percent(1 / most)} of their ${kind} at the same step, since each has only ${most} groups of them. A real language model may not recover from that: --budget removes ${kind} only where that loses least.`
}

/** How groups are ranked where the job leaves that to the criterion, and who loads a result whose layers differ. */
function layoutWarnings(job: PruneJob, config: ModelConfig, target: TargetSettings): string[] {
  if (target.removes === 'layers') return []
  const { title } = criteria[job.criterion]
  const { localFor } = layoutOf(job, config)
  if (localFor !== null)
    return [`${title} ranks all layers together in its paper; here each layer by itself: ${localFor}.`]
  if (target.uniform) return []
  if (target.budget)
    return [
      `The budget is spent over all layers: how many groups each one loses is known only afterwards. ${unevenLayers}`,
    ]
  const why = job.ranking === 'auto' && target.ranking === 'global' ? `, as ${title} does in its paper` : ''
  const ignored = job.uniform === true ? ', and --uniform has no effect' : ''
  const ranked =
    target.ranking === 'global'
      ? `Layers are ranked together${why}: how many groups each one loses is known only afterwards${ignored}. `
      : ''
  return [`${ranked}${unevenLayers}`]
}

/** Said wherever a job leaves layers of different sizes. */
export const unevenLayers =
  "Layers will differ in size: transformers, and what goes by its configurations (PEFT, lm-evaluation-harness, vLLM, llama.cpp's converter), does not load the result by itself (docs/checkpoint-format.md has lines that do); Secateur does. --uniform leaves a stock checkpoint."

/** Whether a group of a kind leaves any layer in the end. */
const leaves = (config: ModelConfig, kind: Kind, target: TargetSettings): boolean =>
  finalCounts(config, kind, target).some((count) => count > 0)

/** What the floor of global ranking keeps of what the ratio stands for; null where it keeps nothing. */
function floorWarning(config: ModelConfig, kind: Kind, target: TargetSettings): string | null {
  const wanted = sum(removalCounts(config, kind, target, target.ratio))
  const left = sum(finalCounts(config, kind, target))
  if (left === wanted) return null
  return `Of ${wanted} ${kind} that the ratio stands for ${left} leave: every layer keeps ${percent(target.floor)} of its own, and one at least (--floor).`
}

const percent = (fraction: number) => `${Number((100 * fraction).toFixed(1))}%`

function noneLeaves(job: PruneJob, config: ModelConfig, kind: Kind, target: TargetSettings): string {
  const layer = config.layers.findIndex((_, index) => isPruned(config, index, target))
  const groups = groupCount(config, layer, kind, target.headGroups)
  const shared = kind === 'heads' && config.layers[layer]!.heads !== config.layers[layer]!.keyValueHeads
  const names = !shared ? kind : target.headGroups === 'query-heads' ? 'query heads' : 'key/value heads'
  const plural = groups === 1 ? names.replace(/s$/, '') : names
  const remedies = [...otherSettings(job, config, kind, target), ...otherRatio(job, config, kind, target)]
  const countsParameters =
    job.targetFraction === undefined && job.targetParameters === undefined
      ? ' --target-fraction says instead what fraction of all parameters stays.'
      : ''
  const remedy =
    remedies.length > 0 ? ` To remove some, take ${remedies.join(', or ')}.` : ' No setting of this job removes any.'
  return `No ${kind} leave: ${percent(target.ratio)} of ${groups} ${plural} in a layer, rounded to what can leave whole, is none.${remedy}${countsParameters}`
}

/** Settings beside the ratio with which some of a kind would leave. */
function otherSettings(job: PruneJob, config: ModelConfig, kind: Kind, target: TargetSettings): string[] {
  if (kind === 'channels') {
    for (let multiple = Math.floor(target.channelMultiple / 2); multiple >= 1; multiple = Math.floor(multiple / 2))
      if (leaves(config, kind, { ...target, channelMultiple: multiple })) return [`--channel-multiple ${multiple}`]
    return []
  }
  const headGroups = 'query-heads'
  if (target.headGroups === headGroups || target.ranking === 'global') return []
  if (config.layers.some(({ keyValueHeadOf }) => keyValueHeadOf)) return []
  if (unscoredKinds({ ...job, headGroups }, config).has('heads')) return []
  const other = { ...target, headGroups } as const
  if (!leaves(config, kind, other)) return []
  const counts = removalCounts(config, kind, other, other.ratio)
  const layer = counts.findIndex((count) => count > 0)
  const share = counts[layer]! / groupCount(config, layer, kind, headGroups)
  return [`--head-groups query-heads, which removes ${percent(share)} of the query heads and keeps keys and values`]
}

/** The least ratio with which some of a kind leave. */
function otherRatio(job: PruneJob, config: ModelConfig, kind: Kind, target: TargetSettings): string[] {
  const ratio = leastRatio((least) => leaves(config, kind, { ...target, ratio: least }))
  if (ratio === null) return []
  const inPlace =
    job.targetFraction === undefined && job.targetParameters === undefined ? '' : ' in place of the target'
  return [`--ratio ${ratio} or more${inPlace}`]
}

function layerWarnings(config: ModelConfig, target: TargetSettings): string[] {
  if (layersRemoved(config, target, target.ratio) > 0) return []
  const ratio = leastRatio((least) => layersRemoved(config, { ...target, ratio: least }, least) > 0)
  const remedy = ratio === null ? '' : ` To remove some, take --ratio ${ratio} or more.`
  return [`No layer leaves: ${percent(target.ratio)} of the layers is less than one.${remedy}`]
}

/** Ratios that a job may have end here. */
const largestRatio = 0.95

/** The least ratio, in thousandths, with which something holds that holds for every larger one; null where none does. */
function leastRatio(holds: (ratio: number) => boolean): number | null {
  let [low, high] = [0, Math.round(1000 * largestRatio)]
  if (!holds(high / 1000)) return null
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (holds(middle / 1000)) high = middle
    else low = middle
  }
  return high / 1000
}
