import { z } from 'zod'

/** Criteria of importance, in the order in which they are offered. */
export const criterionName = z.enum([
  'loraprune',
  'random',
  'magnitude',
  'movement',
  'gradient',
  'wanda',
  'flap',
  'depth',
  'magnitude-unstructured',
  'wanda-unstructured',
])
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
  gradient: {
    title: 'Gradient-guided (LLM-Pruner)',
    sentence: "Estimates every weight's effect on the loss from its true gradient on calibration text.",
    needs: 'weight gradients',
    removes: 'groups',
    memory: "one block's weights and their gradients in 32 bits, and every block's input",
  },
  wanda: {
    title: 'Wanda',
    sentence: 'Weighs each weight by the size of the activations that reach it on calibration text.',
    needs: 'activations',
    removes: 'groups',
    memory: 'two numbers for each feature',
  },
  flap: {
    title: 'FLAP',
    sentence: 'Removes groups whose output hardly fluctuates, and keeps their mean contribution as a bias.',
    needs: 'activations',
    removes: 'groups',
    memory: 'two numbers for each feature',
  },
  depth: {
    title: 'Depth (block similarity)',
    sentence: 'Removes whole layers whose output is most like their input.',
    needs: 'activations',
    removes: 'layers',
    memory: 'none',
  },
  'magnitude-unstructured': {
    title: 'Magnitude, single weights',
    sentence:
      'Sets the smallest weights to zero, for comparison: the file does not shrink, and an adapter fills them again.',
    needs: 'weights',
    removes: 'weights',
    memory: 'the weights once more while they are sorted, one matrix at a time',
  },
  'wanda-unstructured': {
    title: 'Wanda, single weights',
    sentence: 'Sets weights that count least with their activations to zero, for comparison: the file does not shrink.',
    needs: 'activations',
    removes: 'weights',
    memory: 'two numbers for each feature, and one matrix at a time while it is sorted',
  },
}
