import { z } from 'zod'

/** Criteria of importance, in the order in which they are offered. */
export const criterionName = z.enum(['loraprune', 'random', 'magnitude', 'movement'])
export type CriterionName = z.infer<typeof criterionName>

export interface CriterionDescription {
  title: string
  /** What it calls important, in a sentence. */
  sentence: string
  /** What it looks at; `nothing`: neither data nor weights. */
  needs: 'adapter gradients' | 'weight gradients' | 'activations' | 'weights' | 'nothing'
  /** What leaves: heads and channels, whole layers, or single weights (which become zero and stay in the file). */
  removes: 'groups' | 'layers' | 'weights'
  /** What scoring costs in memory beyond the fine-tuning itself, in words. */
  memory: string
}

/** What is told of each criterion wherever one is chosen. */
export const criteria: Record<CriterionName, CriterionDescription> = {
  loraprune: {
    title: 'LoRAPrune',
    sentence: "Estimates every weight's effect on the loss from the gradients of the adapter, averaged over the steps.",
    needs: 'adapter gradients',
    removes: 'groups',
    memory: 'a number for each group',
  },
  random: {
    title: 'Random',
    sentence: 'Draws what leaves by lot, from the seed: what any criterion must beat.',
    needs: 'nothing',
    removes: 'groups',
    memory: 'none',
  },
  magnitude: {
    title: 'Magnitude',
    sentence: 'Takes groups of small weights to be unimportant.',
    needs: 'weights',
    removes: 'groups',
    memory: 'none',
  },
  movement: {
    title: 'Movement',
    sentence: 'Keeps groups whose weights training drives away from zero, added up over the steps.',
    needs: 'adapter gradients',
    removes: 'groups',
    memory: 'a number for each group; with true weight gradients also those of one block',
  },
}
