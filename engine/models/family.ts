import type { Head } from '../ops/head.ts'
import type { Linear, LowRank } from '../ops/linear.ts'
import type { Weight } from '../tensor/frozen-weight.ts'
import type { Tensor } from '../tensor/tf.ts'
import type { GgufTraits } from './gguf-traits.ts'
import type { LayerShape, ModelConfig } from './model-config.ts'
import type { PositionFilter } from './positions.ts'

/** A linear layer's name within its block: q, k, v, o, gate, up, down in decoders. */
export type LinearName = string

/** A linear layer of a block, whose weight is frozen and may get an adapter. */
export interface LinearSpec {
  name: LinearName
  /** Features out: rows of the weight. */
  outputs: number
  /** Features in: columns of the weight. */
  inputs: number
  bias: boolean
  /** The first linear layer that reads the same input: observers are shown each input once, under this name. */
  reads: LinearName
}

/** What a tensor of a checkpoint is to the model. */
export type TensorRole =
  /** Several linear layers are stored as one tensor in some families: their rows follow each other. */
  | { part: 'weight' | 'bias'; layer: number; linears: readonly LinearName[] }
  /**
   * A vector, used as offset + vector: a norm's factors or bias, a learned token, learned positions. `layer` is null where it
   * belongs to no block, such as the norm after the last one. `starts` is what it is before any training; ones where not given.
   */
  | { part: 'norm'; layer: number | null; norm: string; offset: 0 | 1; starts?: 'zeros' | 'normal' }
  | { part: 'embedding' | 'head'; layer: null }

/** A tensor that a checkpoint of the family holds. */
export interface TensorSpec {
  name: string
  shape: number[]
  role: TensorRole
}

export const kinds = ['heads', 'channels'] as const
/** Attention groups, or feed-forward channels. */
export type Kind = (typeof kinds)[number]

/**
 * What leaves together in attention: a key/value head with the query heads that read it, or a single query head. In a
 * model without grouped queries they are the same.
 */
export type HeadGroups = 'key-value-heads' | 'query-heads'

/** How one linear layer's weights fall into a layer's groups. */
export interface GroupMember {
  linear: LinearName
  /** Whether groups are blocks of rows (outputs) or of columns (inputs) of the weight. */
  along: 'rows' | 'columns'
}

/** The groups of one kind in a layer. */
export interface LayerGroups {
  count: number
  /** In the order in which data passes them: the last one reads what the groups make, and groups are its columns. */
  members: readonly GroupMember[]
}

/** What stays of a layer, and what each of its linear layers keeps; null stands for everything. */
export interface ShrunkLayer {
  shape: LayerShape
  kept: Record<LinearName, { rows: number[] | null; columns: number[] | null }>
}

export interface Layer {
  shape: LayerShape
  linears: Record<LinearName, Linear>
  norms: Record<string, Tensor>
}

/** A model in memory: what its family's forward pass reads. */
export interface Model {
  family: Family
  config: ModelConfig
  /** [vocabulary, hidden]; of an encoder of images, [hidden, values of a patch] */
  embedding: Weight
  layers: Layer[]
  norms: Record<string, Tensor>
  /** [vocabulary or classes, hidden]; the embedding itself where they are tied; null where a checkpoint has no classifier. */
  head: Linear | null
}

/** 1 for what stays and 0 for what is masked, for each column of the linear layer that reads a kind's groups. */
export type LayerMask = Record<Kind, Tensor>

/** Keys and values of the positions before, for generation: [rows, capacity, keyValueHeads, headSize]. */
export interface LayerCache {
  keys: Tensor
  values: Tensor
}

/** What comes into a block beside its input. */
export interface BlockExtras {
  lowRank?: Partial<Record<LinearName, LowRank>> | undefined
  mask?: LayerMask | undefined
  /** Takes this pass's keys and values [rows, length, keyValueHeads, headSize] and returns all that are looked at. */
  remember?: ((keys: Tensor, values: Tensor) => LayerCache) | undefined
  /** Sees what goes into the linear layers [rows * length, inputs], under the name that `LinearSpec.reads` has. */
  observe?: ((reads: LinearName, input: Tensor) => void) | undefined
  /** Sees what heads read through values [rows * length, hidden], as `attendedInputs` has it; models of text alone. */
  observeValues?: ((input: Tensor) => void) | undefined
}

/** What all blocks of one pass share, such as tables of positions. */
export interface Pass extends Disposable {
  rows: number
  length: number
}

/** The pass of one token a row. Another one of the same shapes differs by the values of its tensors alone. */
export interface StepPass extends Pass {
  /** Where in the cache the token belongs: int32 [1]. */
  place: Tensor
  /** All of its tensors, in an order that each step has. */
  tensors: readonly Tensor[]
}

export interface PassOptions {
  /** Position of each token [rows * length] where rows do not simply count from 0. */
  positions?: ArrayLike<number> | undefined
  /** Whether the token at `query` of a row may look at the one at `key` <= query; causality is seen to by the family. */
  visible?: ((row: number, query: number, key: number) => boolean) | undefined
}

/**
 * What the engine knows of any architecture: what its config says, what its checkpoints hold, what may be pruned, and the
 * forward pass. Everything else is derived from this.
 */
interface CommonFamily<Config extends ModelConfig> {
  /** "model_type" of config.json. */
  readonly name: string
  /** The class of transformers that loads a checkpoint. */
  readonly architecture: string
  /** How llama.cpp has the family; null where it has it not. */
  readonly gguf: GgufTraits | null
  /**
   * Numbers of heads that transformers takes in all layers: any, those that divide the hidden size even where `head_dim` says
   * how wide a head is, or those that fill it.
   */
  readonly headCounts: 'any' | 'divide-hidden' | 'fill-hidden'

  /**
   * @param ragged whether `secateur_layers` gives each layer its own counts
   * @throws SecateurError that names the file and the field
   */
  readConfig(source: Record<string, unknown>, file: string, ragged: boolean): Config
  /** The fields of a stock config.json (and `secateur_layers` where layers differ), without `model_type`. */
  writeConfig(config: Config): Record<string, unknown>
  /** The config of the same model with a bias in every linear layer; null where config.json cannot say so. */
  withBiases(config: Config): Config | null

  /** Every tensor of a checkpoint, in the order in which a model reads them. */
  tensors(config: Config): TensorSpec[]
  /** The name that `tensors` has for a tensor of a file, where files spell it in several ways. */
  storedName?(name: string): string
  /** Whether a tensor that `tensors` lacks says nothing of what the model computes. */
  isUnused?(name: string): boolean
  /** The path of the list of blocks, as PEFT names it. */
  readonly blocks: string
  /** The modules that hold linear layers, by their path within a block, as PEFT names them. */
  readonly modules: Readonly<Record<string, readonly LinearName[]>>
  /** The name that `blocks` and `modules` have for a module, where versions of transformers spell it in several ways. */
  modulePath?(path: string): string
  /** A layer's linear layers, in the order in which data passes them. */
  linears(config: Config, shape: LayerShape): LinearSpec[]
  groups(config: Config, shape: LayerShape, headGroups: HeadGroups): Record<Kind, LayerGroups>
  /** @param masks 1 for a group that stays; attention groups are whole key/value heads or query heads, by their number */
  shrinkLayer(config: Config, shape: LayerShape, masks: Record<Kind, Uint8Array>): ShrunkLayer

  makePass(config: Config, rows: number, length: number, options?: PassOptions): Pass
  /** @param x [rows * length, hidden] @returns the same shape */
  block(x: Tensor, layer: Layer, config: Config, pass: Pass, extras: BlockExtras): Tensor
}

/** A language model. */
export interface DecoderFamily<Config extends ModelConfig = ModelConfig> extends CommonFamily<Config> {
  readonly task: 'causal-lm'
  /**
   * The pass of one token a row, which stands at `place` of a cache of `capacity` places and looks at those before it.
   *
   * @param starts the place of each row's first token: texts of different lengths end together
   */
  makeStep(config: Config, place: number, capacity: number, starts: readonly number[]): StepPass
  /** @param ids int32 [n] @returns [n, hidden] */
  embed(model: Model, ids: Tensor): Tensor
  /** What comes after the last block. */
  head(model: Model): Omit<Head, 'weight'>
}

/** A classifier of images. */
export interface EncoderFamily<Config extends ModelConfig = ModelConfig> extends CommonFamily<Config> {
  readonly task: 'image-classification'
  /** How learned positions are resized for images of another size. */
  readonly positionFilter: PositionFilter
  /** The module of the classifier. */
  readonly classifier: string
  /** @param patches [images * patches, values of a patch] @returns [images * length, hidden] */
  embed(model: Model, patches: Tensor): Tensor
  /** What the classifier reads. @param x [images * length, hidden] @returns [images, hidden] */
  classToken(model: Model, x: Tensor, pass: Pass): Tensor
}

export type Family<Config extends ModelConfig = ModelConfig> = DecoderFamily<Config> | EncoderFamily<Config>
