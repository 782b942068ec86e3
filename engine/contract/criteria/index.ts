import { z } from 'zod'
import type { CriterionDescription } from './criterion.ts'
import { depth } from './depth.ts'
import { flap } from './flap.ts'
import { gradient } from './gradient.ts'
import { loraprune } from './loraprune.ts'
import { magnitudeUnstructured } from './magnitude-unstructured.ts'
import { magnitude } from './magnitude.ts'
import { movement } from './movement.ts'
import { random } from './random.ts'
import { wandaUnstructured } from './wanda-unstructured.ts'
import { wanda } from './wanda.ts'

export type { CostFacts, CriterionDescription, ModelFacts } from './criterion.ts'

/** Criteria of importance, in the order in which they are offered. */
const list = [
  loraprune,
  random,
  magnitude,
  movement,
  gradient,
  wanda,
  flap,
  depth,
  magnitudeUnstructured,
  wandaUnstructured,
] as const

type Listed = (typeof list)[number]
export type CriterionName = Listed['name']
/** Criteria that score groups or layers. */
export type GroupCriterionName = Exclude<Listed, CriterionDescription<string, z.ZodRawShape, 'weights'>>['name']

export const criterionList: readonly CriterionDescription<CriterionName>[] = list
export const criterionName = z.enum(list.map(({ name }) => name) as [CriterionName, ...CriterionName[]])

/** What is told of each criterion wherever one is chosen. */
export const criteria = Object.fromEntries(criterionList.map((criterion) => [criterion.name, criterion])) as Record<
  CriterionName,
  CriterionDescription<CriterionName>
>

type Together<Union> = (Union extends unknown ? (part: Union) => void : never) extends (all: infer All) => void
  ? All
  : never

/** The settings of all criteria; one that several read stands once. */
export const criterionSettings = Object.assign({}, ...list.map(({ settings }) => settings)) as Together<
  Listed['settings']
>
