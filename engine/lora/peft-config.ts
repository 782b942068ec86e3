import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { readJson } from '../shared/files.ts'
import { adapterScale } from './adapter-scale.ts'

/** What adapter_config.json says of a LoRA adapter. */
export interface AdapterConfig {
  rank: number
  alpha: number
  dropout: number
  /** rsLoRA: scale alpha / sqrt(rank) in place of alpha / rank. */
  rankStabilised: boolean
  /** Ranks of modules that have another, by the last part of their name; the scale is that of all. */
  rankPattern?: Record<string, number>
  /** Modules that are saved whole: the classifier of a model of images, or none. */
  modulesToSave?: readonly string[]
  /** base_model_name_or_path: where the base model was when the adapter was trained. */
  base?: string | undefined
}

const pattern = z.record(z.string(), z.number()).nullish()

const configSchema = z.looseObject({
  peft_type: z.string(),
  task_type: z.string().nullish(),
  r: z
    .int()
    .min(1)
    .max(2 ** 16),
  lora_alpha: z.number().positive().nullish(),
  lora_dropout: z.number().min(0).max(1).nullish(),
  use_rslora: z.boolean().nullish(),
  bias: z.string().nullish(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  base_model_name_or_path: z.string().nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  rank_pattern: pattern,
  alpha_pattern: pattern,
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
})

/** Fields of PEFT that change what an adapter computes, in a way that Secateur does not follow. */
const refused: Record<string, string> = {
  use_dora: 'DoRA adapters are not supported',
  use_qalora: 'QA-LoRA adapters are not supported',
  use_bdlora: 'block-diagonal LoRA adapters are not supported',
  fan_in_fan_out: 'is for layers with transposed weights, which Llama-family models do not have',
  lora_bias: 'adapters with a bias of their own are not supported',
  trainable_token_indices: 'trained embeddings beside the adapter are not supported; retrain without them',
  target_parameters: 'adapters on parameters that are no linear layers are not supported',
  layer_replication: 'adapters on replicated layers are not supported',
  alora_invocation_tokens: 'activated LoRA is not supported',
}

/** The modules of classifiers, which may be trained whole. */
const classifiers = new Set(['classifier', 'head'])

/** Initial values that also change the base model: such an adapter does not fit the original one. */
const changesBase = /^(pissa|olora|corda|loftq)/i

const isSet = (value: unknown) =>
  value !== undefined &&
  value !== null &&
  value !== false &&
  !(Array.isArray(value) && value.length === 0) &&
  !(typeof value === 'object' && Object.keys(value).length === 0)

/** Reads and checks adapter_config.json. Errors name the file and the field. */
export function readAdapterConfig(file: string): AdapterConfig {
  const fields = readJson(file, configSchema)
  if (fields.peft_type !== 'LORA') throw badFile(file, 'peft_type', `is "${fields.peft_type}"; only LORA is supported`)
  if ((fields.task_type ?? 'CAUSAL_LM') !== 'CAUSAL_LM') {
    throw badFile(file, 'task_type', `is "${fields.task_type}"; only CAUSAL_LM is supported`)
  }
  if ((fields.bias ?? 'none') !== 'none') throw badFile(file, 'bias', `is "${fields.bias}"; only "none" is supported`)
  for (const [field, message] of Object.entries(refused)) {
    if (isSet(fields[field])) throw badFile(file, field, message)
  }
  const whole = fields.modules_to_save ?? []
  const other = whole.find((name) => !classifiers.has(name))
  if (other !== undefined)
    throw badFile(
      file,
      'modules_to_save',
      `names ${other}: whole modules trained beside the adapter are not supported, but for the classifier of a model of images; retrain without them`,
    )
  const alpha = fields.lora_alpha ?? 8
  const rankStabilised = fields.use_rslora ?? false
  const { rank_pattern: ranks, alpha_pattern: alphas } = fields
  checkScales(file, { rank: fields.r, alpha, rankStabilised }, ranks ?? {}, alphas ?? {})
  const initial = fields.init_lora_weights
  if (typeof initial === 'string' && changesBase.test(initial)) {
    throw badFile(
      file,
      'init_lora_weights',
      `"${initial}" changed the base model too; convert it to plain LoRA in PEFT`,
    )
  }
  return {
    rank: fields.r,
    alpha,
    dropout: fields.lora_dropout ?? 0,
    rankStabilised,
    ...(ranks && Object.keys(ranks).length > 0 && { rankPattern: ranks }),
    ...(whole.length > 0 && { modulesToSave: whole }),
    base: fields.base_model_name_or_path ?? undefined,
  }
}

/** The rank of a module's matrices. */
export const rankOf = ({ rank, rankPattern }: AdapterConfig, module: string): number => rankPattern?.[module] ?? rank

/** Modules may have ranks of their own where their scale stays that of all. */
function checkScales(
  file: string,
  common: { rank: number; alpha: number; rankStabilised: boolean },
  ranks: Record<string, number>,
  alphas: Record<string, number>,
): void {
  const scale = adapterScale(common)
  for (const module of new Set([...Object.keys(alphas), ...Object.keys(ranks)])) {
    const [rank, alpha] = [ranks[module] ?? common.rank, alphas[module] ?? common.alpha]
    if (Math.abs(adapterScale({ ...common, rank, alpha }) / scale - 1) < 1e-6) continue
    const [field, value, others] =
      module in alphas ? ['alpha_pattern', alpha, common.alpha] : ['rank_pattern', rank, common.rank]
    throw badFile(
      file,
      String(field),
      `gives ${module} ${value} where the others have ${others}; one scale for all is supported`,
    )
  }
}

/**
 * adapter_config.json as PEFT writes it.
 *
 * @param targetModules last parts of the names of the adapted modules
 * @param patterns ranks and alphas of modules that have their own
 * @param isLanguageModel PEFT has a type of task for these, and none for classifiers of images
 */
export function adapterConfigJson(
  config: AdapterConfig,
  targetModules: readonly string[],
  patterns: { ranks: Record<string, number>; alphas: Record<string, number> },
  isLanguageModel: boolean,
): Record<string, unknown> {
  return {
    alpha_pattern: patterns.alphas,
    auto_mapping: null,
    base_model_name_or_path: config.base ?? null,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: config.modulesToSave ?? null,
    peft_type: 'LORA',
    r: config.rank,
    rank_pattern: patterns.ranks,
    revision: null,
    target_modules: targetModules,
    task_type: isLanguageModel ? 'CAUSAL_LM' : null,
    use_dora: false,
    use_rslora: config.rankStabilised,
  }
}
