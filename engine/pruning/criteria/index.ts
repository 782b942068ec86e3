import type { GroupCriterionName } from '../../contract/index.ts'
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

/** Single weights are another matter: see single-weights.ts. */
const makers: Record<GroupCriterionName, (view: ModelView, settings: CriterionSettings) => Criterion> = {
  loraprune: ({ model, adapter }, settings) => loraPrune(model, adapter, settings),
  random: ({ model }, { headGroups, seed }) =>
    randomCriterion(model.config, headGroups, new Random(seed).fork('random criterion')),
  magnitude: ({ model, adapter }, settings) => magnitude(model, adapter, settings),
  movement,
  gradient: gradientGuided,
  wanda,
  flap: (view, settings) => new Flap(view, settings),
  depth: (view, { headGroups }) => depth(view, headGroups),
}

export const makeCriterion = (name: GroupCriterionName, view: ModelView, settings: CriterionSettings): Criterion =>
  makers[name](view, settings)
