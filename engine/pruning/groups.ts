import { type HeadGroups, type Kind, kinds, type LayerGroups } from '../models/family.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import { linearOf } from '../models/tensors.ts'

/** The groups of a kind in a layer: how many there are, and which weights are theirs. */
export const groupsOf = (config: ModelConfig, layer: number, kind: Kind, headGroups: HeadGroups): LayerGroups =>
  familyOf(config).groups(config, config.layers[layer]!, headGroups)[kind]

/** Groups of a kind in a layer. */
export const groupCount = (config: ModelConfig, layer: number, kind: Kind, headGroups: HeadGroups): number =>
  groupsOf(config, layer, kind, headGroups).count

/** The linear layer that reads what a kind's groups make: the groups are blocks of its columns. */
export const readerOf = (config: ModelConfig, layer: number, kind: Kind): string =>
  groupsOf(config, layer, kind, 'key-value-heads').members.at(-1)!.linear

/** Parameters that leave with one group: weights of all its members, with their biases. */
export function parametersPerGroup(config: ModelConfig, layer: number, kind: Kind, headGroups: HeadGroups): number {
  const { count, members } = groupsOf(config, layer, kind, headGroups)
  return members.reduce((sum, { linear, along }) => {
    const { outputs, inputs, bias } = linearOf(config, layer, linear)
    return sum + (along === 'rows' ? (outputs / count) * (inputs + (bias ? 1 : 0)) : (inputs / count) * outputs)
  }, 0)
}

/** 1 for a group that stays and 0 for one that has left, layer by layer. */
export type GroupMasks = Record<Kind, Uint8Array>[]

export const fullMasks = (config: ModelConfig, headGroups: HeadGroups): GroupMasks =>
  config.layers.map((_, layer) => ({
    heads: new Uint8Array(groupCount(config, layer, 'heads', headGroups)).fill(1),
    channels: new Uint8Array(groupCount(config, layer, 'channels', headGroups)).fill(1),
  }))

/** Whether nothing is left of a layer: it hands on what it is given, and is left out of the file. */
export const isEmptyLayer = (mask: GroupMasks[number]): boolean => kinds.every((kind) => !mask[kind].includes(1))
