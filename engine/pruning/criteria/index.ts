import type { CriterionName } from '../../contract/index.ts'
import { Random } from '../../shared/random.ts'
import type { Criterion, ModelView } from './criterion.ts'
import { depth } from './depth.ts'
import { Flap, type FlapSettings } from './flap.ts'
import { gradientGuided, type GradientSettings } from './gradient.ts'
import { loraPrune, type LoraPruneSettings } from './loraprune.ts'
import { magnitude, type MagnitudeSettings } from './magnitude.ts'
import { movement, type MovementSettings } from './movement.ts'
import { randomCriterion } from './random.ts'
import { wanda } from './wanda.ts'

export interface CriterionSettings
  extends LoraPruneSettings, MagnitudeSettings, MovementSettings, GradientSettings, FlapSettings {
  seed: number
}

/** A criterion that scores groups, by name; single weights are another matter (see unstructured.ts). */
export type GroupCriterionName = Exclude<CriterionName, `${string}-unstructured`>

export function makeCriterion(name: GroupCriterionName, view: ModelView, settings: CriterionSettings): Criterion {
  const { model, adapter } = view
  switch (name) {
    case 'loraprune':
      return loraPrune(model, adapter, settings)
    case 'random':
      return randomCriterion(model.config, settings.headGroups, new Random(settings.seed).fork('random criterion'))
    case 'magnitude':
      return magnitude(model, adapter, settings)
    case 'movement':
      return movement(view, settings)
    case 'gradient':
      return gradientGuided(view, settings)
    case 'wanda':
      return wanda(view, settings)
    case 'flap':
      return new Flap(view, settings)
    case 'depth':
      return depth(view, settings.headGroups)
  }
}
