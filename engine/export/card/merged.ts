import { basename } from 'node:path'
import type { MergeJob } from '../../contract/index.ts'
import type { PeftAdapter } from '../../lora/peft.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import type { BaseModel } from './base-model.ts'
import type { CardFacts } from './model-card.ts'
import { layersTable, parametersText } from './tables.ts'

/** The model card of a checkpoint that an adapter was added to. */
export function mergedCard(
  job: MergeJob,
  base: BaseModel,
  { rank, targetModules, classifier }: Pick<PeftAdapter, 'rank' | 'targetModules' | 'classifier'>,
  config: ModelConfig,
  parameters: { before: number; after: number },
): CardFacts {
  const whole = classifier ? `, and a classifier of ${classifier.b.length} classes that was trained with it` : ''
  return {
    title: `${base.name}, fine-tuned`,
    base,
    relation: 'finetune',
    tags: ['lora'],
    config,
    sections: [
      `${base.name} with the LoRA adapter "${basename(job.adapter)}" (rank ${rank}, on ${targetModules.join(', ')}) added to its weights: W + scale * B A${whole}.`,
      `## Size\n\n${parametersText(parameters)}`,
      layersTable(config.layers),
    ],
    job,
  }
}
