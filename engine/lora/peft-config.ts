import { z } from 'zod'
import { badFile } from '../shared/errors.ts'
import { readJson } from '../shared/files.ts'
import { type Projection, targetModule } from '../models/projections.ts'

/** What adapter_config.json says of a LoRA adapter. */
export interface AdapterConfig {
  rank: number
  alpha: number
  dropout: number
  /** rsLoRA: scale alpha / sqrt(rank) in place of alpha / rank. */
  rankStabilised: boolean
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
  modules_to_save: 'whole modules trained beside the adapter are not supported; retrain without them',
  trainable_token_indices: 'trained embeddings beside the adapter are not supported; retrain without them',
  target_parameters: 'adapters on parameters that are no linear layers are not supported',
  layer_replication: 'adapters on replicated layers are not supported',
  alora_invocation_tokens: 'activated LoRA is not supported',
}

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
  const alpha = fields.lora_alpha ?? 8
  checkPattern(file, 'rank_pattern', fields.rank_pattern, fields.r)
  checkPattern(file, 'alpha_pattern', fields.alpha_pattern, alpha)
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
    rankStabilised: fields.use_rslora ?? false,
    base: fields.base_model_name_or_path ?? undefined,
  }
}

function checkPattern(file: string, field: string, values: z.infer<typeof pattern>, common: number): void {
  for (const [module, value] of Object.entries(values ?? {})) {
    if (value === common) continue
    throw badFile(
      file,
      field,
      `gives ${module} ${value} where the others have ${common}; one value for all is supported`,
    )
  }
}

/** adapter_config.json as PEFT writes it. */
export function adapterConfigJson(config: AdapterConfig, projections: readonly Projection[]): Record<string, unknown> {
  return {
    alpha_pattern: {},
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
    modules_to_save: null,
    peft_type: 'LORA',
    r: config.rank,
    rank_pattern: {},
    revision: null,
    target_modules: projections.map(targetModule),
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: config.rankStabilised,
  }
}
