import type { StepResult, Trainer } from './trainer.ts'

/** What an optimiser step did. */
export interface StepEvent extends StepResult {
  type: 'step'
  /** Counted from 1. */
  step: number
  /** Fraction of the groups that must be gone, of those that are, and of the parameters; only while groups are pruned. */
  sparsity?: {
    planned: number
    heads: number
    channels: number
    parameters: { planned: number; actual: number }
  }
}

/** Fine-tuning: every step from the one after `from` to the trainer's last. */
export async function* takeSteps(trainer: Trainer, from: number): AsyncGenerator<StepEvent> {
  for (let step = from + 1; step <= trainer.settings.steps; step++) yield { type: 'step', step, ...trainer.step(step) }
}
