import type { DecoderConfig } from '../models/decoder-config.ts'

/** Sizes of well-known Llamas: 3.2 1B and 3B, and 2 7B. */
const shapes = {
  '1B': { headSize: 64, layers: 16, heads: 32, keyValueHeads: 8, channels: 8192, vocabulary: 128256, tied: true },
  '3B': { headSize: 128, layers: 28, heads: 24, keyValueHeads: 8, channels: 8192, vocabulary: 128256, tied: true },
  '7B': { headSize: 128, layers: 32, heads: 32, keyValueHeads: 32, channels: 11008, vocabulary: 32000, tied: false },
} as const
export type ShapeName = keyof typeof shapes
export const shapeNames = Object.keys(shapes) as [ShapeName, ...ShapeName[]]

/** The shape that a flag names. @throws Error where there is none of that name */
export function shapeNamed(name: string): ShapeName {
  const found = shapeNames.find((known) => known === name)
  if (!found) throw new Error(`--shape is one of ${shapeNames.join(', ')}`)
  return found
}

/** The configuration of a shape, with every size but that of a head divided by `scale`. */
export function configOf(name: ShapeName, scale: number): DecoderConfig {
  const { headSize, layers, heads, keyValueHeads, channels, vocabulary, tied } = shapes[name]
  const fewer = (count: number) => Math.max(1, Math.round(count / scale))
  const kept = fewer(keyValueHeads)
  const shape = { heads: (kept * heads) / keyValueHeads, keyValueHeads: kept, channels: 8 * fewer(channels / 8) }
  return plainConfig({
    vocabularySize: Math.max(256, fewer(vocabulary)),
    hiddenSize: shape.heads * headSize,
    headSize,
    layers: Array.from({ length: fewer(layers) }, () => ({ ...shape })),
    tiedEmbeddings: tied,
  })
}

/** A Llama without biases or scaled positions. */
export const plainConfig = (
  sizes: Pick<DecoderConfig, 'vocabularySize' | 'hiddenSize' | 'headSize' | 'layers' | 'tiedEmbeddings'>,
): DecoderConfig => ({
  family: 'llama',
  ...sizes,
  maxPositions: 4096,
  slidingWindow: null,
  normEpsilon: 1e-5,
  ropeTheta: 10_000,
  ropeScaling: null,
  slidingRopeTheta: null,
  attentionScale: 1 / Math.sqrt(sizes.headSize),
  activation: 'silu',
  branchNorms: false,
  normOffset: 0,
  embeddingScale: 1,
  bias: { queryKeyValue: false, output: false, feedForward: false },
  queryKeyNorm: false,
  bosId: 1,
  eosIds: [2],
  source: {},
})
