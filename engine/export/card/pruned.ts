import { criteria, type PruneJob, type Scores } from '../../contract/index.ts'
import { parametersBeside } from '../../lora/classifier.ts'
import type { Checkpoint } from '../../models/checkpoint.ts'
import { type Kind, kinds } from '../../models/family.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { countParameters } from '../../models/tensors.ts'
import type { BaseModel } from './base-model.ts'
import type { CardFacts } from './model-card.ts'
import { layersTable, parametersText, scoresTable } from './tables.ts'

/** What is known of a pruned model. */
export interface PrunedModel {
  /** The checkpoint that was pruned. */
  checkpoint: Pick<Checkpoint, 'config' | 'parameters'>
  /** Of the pruned model. */
  config: ModelConfig
  /** Optimiser steps. */
  steps: number
  /** Of the model and of its base, where they were taken. */
  scores: Scores | null
  dense: Scores | null
}

/** The model card of a pruned model. */
export function prunedCard(job: PruneJob, base: BaseModel, model: PrunedModel): CardFacts {
  const { checkpoint, config, scores, dense } = model
  const parameters = { before: parametersBeside(checkpoint, config), after: countParameters(config) }
  const criterion = criteria[job.criterion]
  const scored = scoresTable(scores, dense)
  const size =
    criterion.removes === 'weights'
      ? ''
      : ` to ${((100 * parameters.after) / parameters.before).toFixed(0)}% of its parameters`
  return {
    title: `${base.name}, pruned${size}`,
    base,
    relation: 'finetune',
    tags: ['pruned', job.criterion],
    config,
    sections: [
      `${base.name}, pruned: ${methodText(job, model)}`,
      `## Size\n\n${parametersText(parameters)}`,
      layersTable(config.layers),
      ...(scored === null ? [] : [`## Scores\n\n${scored}\n\n${scoringText(job)}`]),
    ],
    job,
  }
}

function methodText(job: PruneJob, { steps, config }: PrunedModel): string {
  const rows = config.patchValues === undefined ? `sequences of ${job.sequenceLength} tokens` : 'images'
  const { title, sentence, removes } = criteria[job.criterion]
  const what =
    removes === 'groups'
      ? kinds
          .filter((kind) => job.prune.includes(kind))
          .map((kind) => kindNames[kind])
          .join(' and ')
      : removes === 'layers'
        ? 'whole layers'
        : 'single weights'
  const when = job.schedule === 'iterative' ? 'left step by step' : 'left at once, before the first step'
  const trained =
    steps === 0 || !job.healing
      ? 'Nothing was trained.'
      : `A LoRA adapter of rank ${job.rank} was trained for ${steps} steps of ${job.batchSize * job.gradientAccumulation} ${rows}, at a learning rate of ${job.learningRate}, and merged.`
  const paper = job.criterion === 'loraprune' ? `[${title}](https://arxiv.org/abs/2305.18403)` : title
  return `${what} ${when}, chosen by ${paper}. ${sentence} ${trained}`
}

const kindNames: Record<Kind, string> = { heads: 'attention heads', channels: 'feed-forward channels' }

function scoringText({ evaluation }: PruneJob): string {
  if (evaluation?.images !== undefined) return 'Taken by Secateur; ± is one standard error.'
  const shots = evaluation?.fewShot
    ? `${evaluation.fewShot} examples in front of each question`
    : evaluation?.fewShot === undefined && evaluation?.tasks['mmlu'] !== undefined
      ? 'no examples in front of a question, but five of those of MMLU'
      : 'no examples in front'
  const rows = evaluation?.limit === undefined ? '' : `, on ${evaluation.limit} questions of each task`
  const mode =
    evaluation?.mode === 'legacy' ? 'lm-evaluation-harness as the papers used it' : "today's lm-evaluation-harness"
  return `Taken by Secateur as ${mode} does, with ${shots}${rows}; ± is one standard error.`
}
