import type { Checkpoint } from '../models/checkpoint.ts'
import { type Adapter, adapterFrom } from './adapter.ts'
import { checkAdapter, pairsOfAdapter, readAdapter } from './peft.ts'

/**
 * Reads a PEFT folder as an adapter of a checkpoint.
 *
 * @throws SecateurError where the folder is damaged or the adapter belongs to another model
 */
export function loadAdapter(folder: string, checkpoint: Checkpoint): Adapter {
  const adapter = readAdapter(folder)
  checkAdapter(adapter, checkpoint.config)
  const pairs = pairsOfAdapter(adapter, checkpoint.config)
  return adapterFrom(checkpoint.config, adapter, (layer, name) => pairs[layer]![name])
}
