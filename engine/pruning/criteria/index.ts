import type { CriterionName } from '../../contract.ts'
import type { Adapter } from '../../lora/adapter.ts'
import type { LlamaModel } from '../../models/llama.ts'
import { Random } from '../../random.ts'
import type { Criterion } from './criterion.ts'
import { loraPrune, type LoraPruneSettings } from './loraprune.ts'
import { magnitude, type MagnitudeSettings } from './magnitude.ts'
import { movement } from './movement.ts'
import { randomCriterion } from './random.ts'

export interface CriterionSettings extends LoraPruneSettings, MagnitudeSettings {
  criterion: CriterionName
  seed: number
}

/** The criterion that the settings name. */
export function makeCriterion(model: LlamaModel, adapter: Adapter, settings: CriterionSettings): Criterion {
  switch (settings.criterion) {
    case 'loraprune':
      return loraPrune(model, adapter, settings)
    case 'random':
      return randomCriterion(model.config, settings.headGroups, new Random(settings.seed).fork('random criterion'))
    case 'magnitude':
      return magnitude(model, adapter, settings)
    case 'movement':
      return movement(model, adapter, settings)
  }
}
