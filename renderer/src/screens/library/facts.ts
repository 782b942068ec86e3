import type { CheckpointDetail } from '../../../../electron/contract/index.ts'
import { bytes, count, date, none, number, parameters, percent } from '../../format.ts'
import { headsText, range } from '../../heads.ts'
import { familyName } from '../../names.ts'
import { imageFactsOf } from './image-facts.ts'

const storages = {
  'in-place': 'Left where they were found',
  copied: 'In a folder of the library',
  'run-output': 'Written by a run',
}

const fileKinds: Record<CheckpointDetail['format'], string> = {
  safetensors: 'Folder of safetensors, as Hugging Face has them',
  gguf: 'GGUF, as llama.cpp has it',
  onnx: 'ONNX graph',
}

/** "4.85 bits a weight: Q4_K 88%, Q6_K 12%" */
function quantised({ bitsPerWeight, types }: NonNullable<CheckpointDetail['quantisation']>): string {
  const all = Object.values(types).reduce((sum, weights) => sum + weights, 0)
  const shares = Object.entries(types)
    .toSorted(([, one], [, other]) => other - one)
    .filter(([, weights]) => weights / all >= 0.001)
    .map(([type, weights]) => `${type} ${percent(weights / all, weights / all < 0.01 ? 1 : 0)}`)
  return `${number(bitsPerWeight, 3)} bits a weight: ${shares.join(', ')}`
}

/** What a checkpoint is, as names and values with their units. */
export function factsOf(checkpoint: CheckpointDetail): { name: string; value: string; path?: boolean }[] {
  const { adapter, layers } = checkpoint
  const size = [
    { name: 'Parameters', value: `${parameters(checkpoint.parameters)} (${count(checkpoint.parameters)})` },
    { name: 'Type of weights', value: checkpoint.dtype },
    ...(checkpoint.quantisation ? [{ name: 'Quantised', value: quantised(checkpoint.quantisation) }] : []),
    { name: 'Size on disk', value: bytes(checkpoint.bytes) },
  ]
  const entry = [
    { name: 'Format', value: fileKinds[checkpoint.format] },
    { name: 'Files', value: storages[checkpoint.storage] },
    { name: 'Added', value: date(checkpoint.added) },
    ...(checkpoint.contentHash
      ? [{ name: 'Content (SHA-256)', value: checkpoint.contentHash, path: true }]
      : [{ name: 'Content (SHA-256)', value: 'being computed…' }]),
  ]
  if (adapter) {
    return [
      { name: 'Adapter', value: `LoRA, rank ${adapter.rank}, alpha ${number(adapter.alpha)}` },
      { name: 'On', value: adapter.targetModules.join(', ') },
      { name: 'Base', value: adapter.base ?? none, path: true },
      ...size,
      ...entry,
    ]
  }
  return [
    { name: 'Architecture', value: architectureOf(checkpoint) },
    ...size,
    { name: 'Layers', value: count(layers.length) },
    { name: 'Attention heads', value: headsText(layers) },
    { name: 'Feed-forward channels', value: range(layers.map(({ channels }) => channels)) },
    { name: 'Hidden size', value: `${count(checkpoint.hiddenSize)}, heads of ${count(checkpoint.headSize)}` },
    ...(checkpoint.imageFacts ? imageFactsOf(checkpoint.imageFacts) : textFactsOf(checkpoint)),
    ...entry,
  ]
}

/** "ViT"; of timm, whose name says how it is stored, what it stores as well. */
const architectureOf = ({ family, architecture }: CheckpointDetail): string =>
  family === 'timm_wrapper' && architecture ? `${familyName(family)} (${architecture})` : familyName(family)

const textFactsOf = (checkpoint: CheckpointDetail) => [
  { name: 'Vocabulary', value: `${count(checkpoint.vocabularySize)} tokens` },
  { name: 'Longest context', value: `${count(checkpoint.maxPositions)} tokens` },
  {
    name: 'Embeddings',
    value: checkpoint.tiedEmbeddings ? 'Shared by input and output' : 'Of input and output apart',
  },
  { name: 'Tokenizer', value: checkpoint.tokenizer ?? 'None that works: it can be neither trained nor scored' },
]
