import { basename } from 'node:path'
import type { MergeJob } from '../../contract/index.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import type { BaseModel } from './base-model.ts'
import type { CardFacts } from './model-card.ts'
import { layersTable, parametersText } from './tables.ts'

/** The model card of a checkpoint that an adapter was added to. */
export function mergedCard(
  job: MergeJob,
  base: BaseModel,
  { rank, targetModules }: { rank: number; targetModules: readonly string[] },
  { config, parameters }: Pick<Checkpoint, 'config' | 'parameters'>,
): CardFacts {
  return {
    title: `${base.name}, fine-tuned`,
    base,
    relation: 'finetune',
    tags: ['lora'],
    config,
    sections: [
      `${base.name} with the LoRA adapter "${basename(job.adapter)}" (rank ${rank}, on ${targetModules.join(', ')}) added to its weights: W + scale * B A.`,
      `## Size\n\n${parametersText({ before: parameters, after: parameters })}`,
      layersTable(config.layers),
    ],
    job,
  }
}
