import type { Checkpoint } from '../models/checkpoint.ts'
import { type Adapter, adapterFrom, disposeMatrices, trainedMatrices } from './adapter.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { adaptedConfig, checkAdapter, pairsOfAdapter } from './peft.ts'
import { readAdapter } from './read-peft.ts'

/**
 * Reads a PEFT folder as an adapter of a checkpoint, with the config of the two together. Dispose of it.
 *
 * @throws SecateurError where the folder is damaged or the adapter belongs to another model
 */
export function loadAdapter(folder: string, checkpoint: Checkpoint): Adapter & { config: ModelConfig } & Disposable {
  const stored = readAdapter(folder)
  checkAdapter(stored, checkpoint.config)
  const pairs = pairsOfAdapter(stored, checkpoint.config)
  const config = adaptedConfig(checkpoint.config, stored)
  const adapter = adapterFrom(config, stored, (layer, name) => pairs[layer]![name], stored.classifier)
  return { ...adapter, config, [Symbol.dispose]: () => disposeMatrices(trainedMatrices(adapter)) }
}
