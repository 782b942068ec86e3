import { basename } from 'node:path'
import type { ImportSettings } from '../../contract/index.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import type { WeightType } from '../../tensor/stored-tensor.ts'
import type { BaseModel } from './base-model.ts'
import { madeText } from './exported.ts'
import type { CardFacts } from './model-card.ts'
import { layersTable, parametersText } from './tables.ts'

/** The model card of what a GGUF file held. */
export function importedCard(
  job: { kind: 'import' } & ImportSettings,
  base: BaseModel,
  { config, parameters, quantisation }: Checkpoint,
  type: WeightType,
): CardFacts {
  const lost = quantisation
    ? ` They were quantised there, to ${quantisation.bitsPerWeight.toFixed(2)} bits for each; what was lost stays lost.`
    : ''
  return {
    title: `${base.name}, from GGUF`,
    base,
    relation: base.isOurs ? base.relation : null,
    tags: [],
    config,
    sections: [
      `${base.name} as "${basename(job.file)}" holds it, its weights in ${type}.${lost}`,
      ...madeText(base),
      `## Size\n\n${parametersText({ before: parameters, after: parameters })}`,
      layersTable(config.layers),
    ],
    job,
  }
}
