import type { z } from 'zod'

/** What scoring costs depends on, in plain numbers. */
export interface CostFacts {
  /** Weights of the linear layers of all blocks, and of the block that has most. */
  weights: number
  largestBlock: number
  layers: number
  hiddenSize: number
  /** Rank of the adapter. */
  rank: number
  /** Operations of one token's forward pass. */
  forward: number
  calibrationTokens: number
  /** Whether everything leaves at once, before the first step. */
  atOnce: boolean
  /** How often groups are chosen in the whole run. */
  choices: number
  /** Steps that a criterion scores that scores every step, and the tokens of one. */
  scoredSteps: number
  stepTokens: number
}

/** What a criterion must know of a model to refuse it. */
export interface ModelFacts {
  family: string
  /** Whether a layer adds something to the residual stream even where all its groups are masked. */
  hasOutputBiases: boolean
  /** Whether config.json of the family can say that linear layers have biases. */
  takesBiases: boolean
}

/** A setting that contradicts the criterion, and why. */
export interface Contradiction {
  setting: string
  message: string
}

type Removes = 'groups' | 'layers' | 'weights'

/** Everything that is said of a criterion without computing it; the computation is pruning/criteria/NAME.ts. */
export interface CriterionDescription<
  Name extends string = string,
  Own extends z.ZodRawShape = z.ZodRawShape,
  What extends Removes = Removes,
> {
  readonly name: Name
  readonly title: string
  /** What it calls important, in a sentence. */
  readonly sentence: string
  /** What it looks at; `nothing`: neither data nor weights. */
  readonly needs: 'adapter gradients' | 'weight gradients' | 'activations' | 'weights' | 'nothing'
  /** Whether a linear layer without an adapter has no score; left out: where it needs adapter gradients. */
  scoresThroughAdapter?(settings: z.output<z.ZodObject<Own>>): boolean
  /** Whether its paper ranks the groups of each layer by themselves or those of all layers together. */
  readonly ranking: 'local' | 'global'
  /** Whether its scores are on one scale in all layers, so that ranking them together takes them as they are; left out: each layer's are divided by their norm. */
  readonly comparable?: true
  /** What leaves: heads and channels, whole layers, or single weights (which become zero and stay in the file). */
  readonly removes: What
  /** What scoring costs in memory beyond the fine-tuning itself, in words. */
  readonly memory: string
  /** The settings of a pruning job that it reads. */
  readonly settings: Own
  /** Bytes that it holds beyond the training. */
  bytes(settings: z.output<z.ZodObject<Own>>, facts: CostFacts): number
  /** Operations of all its scorings in a run, those of passes over the weights included. */
  operations(settings: z.output<z.ZodObject<Own>>, facts: CostFacts): number
  /** What of a job it cannot do; null where there is nothing. */
  contradiction?(
    settings: z.output<z.ZodObject<Own>> & { schedule: 'iterative' | 'one-shot' },
    model: ModelFacts,
  ): Contradiction | null
  /** Whether it writes biases, for what removed groups gave on average; left out: it does not. */
  addsBiases?(settings: z.output<z.ZodObject<Own>>): boolean
}

/** Keeps the name, the settings and what leaves as literal types. */
export const describeCriterion = <
  const Name extends string,
  Own extends z.ZodRawShape,
  const What extends Removes = Removes,
>(
  description: CriterionDescription<Name, Own, What>,
): CriterionDescription<Name, Own, What> => description
