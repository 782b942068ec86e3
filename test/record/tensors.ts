import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'

const headerSchema = z
  .looseObject({ __metadata__: z.record(z.string(), z.string()).optional() })
  .transform(({ __metadata__: metadata = {}, ...tensors }) => ({
    metadata,
    tensors: z
      .record(z.string(), z.object({ dtype: z.string(), shape: z.array(z.int()), data_offsets: z.array(z.int()) }))
      .parse(tensors),
  }))

/** SHA-256 in hexadecimal digits. */
export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/**
 * The tensors of a safetensors file, each described by dtype, shape and hash. It is read here, and not by the engine,
 * so that what is recorded does not depend on what is tested.
 */
export function tensorsIn(file: string): { metadata: string; tensors: { name: string; described: string }[] } {
  const bytes = readFileSync(file)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const { metadata, tensors } = headerSchema.parse(JSON.parse(bytes.toString('utf8', 8, start)))
  // The checksum of a saved state, of what is described here anyway; earlier versions wrote none.
  const { sha256: _, ...described } = metadata
  return {
    metadata: JSON.stringify(described),
    tensors: Object.entries(tensors).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from = 0, to = 0],
        },
      ]) => ({
        name,
        described: `${dtype} [${shape.join(', ')}] ${hashOf(bytes.subarray(start + from, start + to))}`,
      }),
    ),
  }
}
