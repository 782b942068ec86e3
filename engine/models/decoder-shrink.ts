import type { DecoderConfig } from './decoder-config.ts'
import type { Kind, ShrunkLayer } from './family.ts'
import { featuresOf, kept } from './kept.ts'
import type { LayerShape } from './model-config.ts'

/** What stays of a decoder layer. A key/value head that no query head reads any more leaves too. */
export function shrinkDecoderLayer(
  { headSize }: DecoderConfig,
  shape: LayerShape,
  masks: Record<Kind, Uint8Array>,
): ShrunkLayer {
  const shared = shape.heads / shape.keyValueHeads
  const readers = shape.keyValueHeadOf ?? Array.from({ length: shape.heads }, (_, head) => Math.floor(head / shared))
  const queryHeads =
    masks.heads.length === shape.heads
      ? kept(masks.heads)
      : [...readers.keys()].filter((head) => masks.heads[readers[head]!] === 1)
  const keyValueHeads = [...new Set(queryHeads.map((head) => readers[head]!))].sort((one, other) => one - other)
  const newReaders = queryHeads.map((head) => keyValueHeads.indexOf(readers[head]!))
  const ratio = queryHeads.length / keyValueHeads.length
  const even = Number.isInteger(ratio) && newReaders.every((reader, head) => reader === Math.floor(head / ratio))
  const queries = featuresOf(queryHeads, headSize)
  const keysAndValues = featuresOf(keyValueHeads, headSize)
  const channels = kept(masks.channels)
  return {
    shape: {
      heads: queryHeads.length,
      keyValueHeads: keyValueHeads.length,
      channels: channels.length,
      ...(even ? {} : { keyValueHeadOf: newReaders }),
      ...(shape.attention && { attention: shape.attention }),
    },
    kept: {
      q: { rows: queries, columns: null },
      k: { rows: keysAndValues, columns: null },
      v: { rows: keysAndValues, columns: null },
      o: { rows: null, columns: queries },
      gate: { rows: channels, columns: null },
      up: { rows: channels, columns: null },
      down: { rows: null, columns: channels },
    },
  }
}
