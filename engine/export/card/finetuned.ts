import type { FinetuneJob, Validation } from '../../contract/index.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { linearsOf } from '../../models/tensors.ts'
import { numberText } from '../../shared/number-text.ts'
import type { BaseModel } from './base-model.ts'
import type { CardFacts } from './model-card.ts'

/** What is known of an adapter that was trained. */
export interface FinetunedAdapter {
  /** Of the base model. */
  config: ModelConfig
  /** Optimiser steps. */
  steps: number
  /** Mean loss of the last step, and on validation data where there is some. */
  loss: number | null
  validation: Validation | null
}

/** The model card of a LoRA adapter. */
export function finetunedCard(job: FinetuneJob, base: BaseModel, adapter: FinetunedAdapter): CardFacts {
  const { config, steps } = adapter
  const { rank, alpha, targetModules } = job
  const isOfImages = config.patchValues !== undefined
  const rows = isOfImages ? 'images' : `sequences of at most ${job.sequenceLength} tokens`
  const numbers = config.layers
    .flatMap((_, layer) => linearsOf(config, layer))
    .filter(({ name }) => (targetModules as readonly string[]).includes(name))
    .reduce((sum, { inputs, outputs }) => sum + rank * (inputs + outputs), 0)
  return {
    title: `A LoRA adapter of ${base.name}`,
    base,
    relation: 'adapter',
    tags: ['lora'],
    config,
    loading: { library: 'peft', text: loadingText(isOfImages) },
    sections: [
      `A LoRA adapter of rank ${rank} (alpha ${alpha}) on ${targetModules.join(', ')} of ${base.name}, trained for ${steps} steps of ${job.batchSize * job.gradientAccumulation} ${rows}, at a learning rate of ${job.learningRate}.${lossText(adapter)}`,
      `## Size\n\n${numberText(numbers)} numbers in 32 bits, beside the base model.`,
    ],
    job,
  }
}

function lossText({ loss, validation }: FinetunedAdapter): string {
  const last = loss === null ? '' : ` The loss of the last step was ${loss.toFixed(4)}.`
  return validation ? `${last} It is that of step ${validation.written}${leastText(validation)}.` : last
}

const leastText = ({ written, best }: Validation): string =>
  best?.step === written ? `, whose loss on validation data was the least, ${best.loss.toFixed(4)}` : ''

function loadingText(isOfImages: boolean): string {
  const use = isOfImages ? 'eval MERGED --images FOLDER' : 'generate MERGED --prompt "Once upon a time"'
  const auto = isOfImages ? 'AutoModelForImageClassification' : 'AutoModelForCausalLM'
  const classes = isOfImages ? ', num_labels=CLASSES, ignore_mismatched_sizes=True' : ''
  return `## How to load it

With the folder of this card as FOLDER and that of the base model as BASE:

\`\`\`sh
npx secateur merge BASE FOLDER --out MERGED
npx secateur ${use}
\`\`\`

\`\`\`python
from peft import PeftModel
from transformers import ${auto}

model = PeftModel.from_pretrained(${auto}.from_pretrained("BASE"${classes}), "FOLDER")
\`\`\``
}
