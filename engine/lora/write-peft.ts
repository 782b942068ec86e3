import { join } from 'node:path'
import { fromFloat32 } from '../checkpoint/dtype.ts'
import { writeSafetensors } from '../checkpoint/safetensors-writer.ts'
import { isOfImages } from '../models/encoder-config.ts'
import type { ModelConfig } from '../models/model-config.ts'
import { familyOf } from '../models/registry.ts'
import { createFolderAtomically, writeJson } from '../shared/files.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import { fusedPairs, moduleName } from './fused-modules.ts'
import { adapterConfigJson } from './peft-config.ts'
import { configName, imageSizeKey, labelsKey, type PeftAdapter, weightsName, weightsPrefix } from './peft.ts'

/**
 * Writes an adapter as a PEFT folder, in float32; the whole folder appears at once.
 *
 * @param model the base model's config
 * @param beside writes what else belongs into the folder, such as a model card
 */
export async function writeAdapter(
  folder: string,
  adapter: PeftAdapter,
  model: ModelConfig,
  beside?: (folder: string) => void,
): Promise<void> {
  const { pairs, ...patterns } = fusedPairs(adapter, model)
  const tensors = pairs.flatMap(({ layer, path, a, b, rank, inputs, outputs }) => {
    const module = `${weightsPrefix}${familyOf(model).blocks}.${layer}.${path}`
    return [
      float32Tensor(`${module}.lora_A.weight`, [rank, inputs], a),
      float32Tensor(`${module}.lora_B.weight`, [outputs, rank], b),
    ]
  })
  const family = familyOf(model)
  const { classifier } = adapter
  const whole = classifier && family.task === 'image-classification' ? family.classifier : null
  if (classifier && whole !== null)
    tensors.push(
      float32Tensor(`${weightsPrefix}${whole}.weight`, [classifier.b.length, classifier.inputs], classifier.a),
      float32Tensor(`${weightsPrefix}${whole}.bias`, [classifier.b.length], classifier.b),
    )
  const modules = Object.entries(family.modules)
  const targets = adapter.targetModules.flatMap((name) =>
    modules.filter(([, names]) => names.includes(name)).map(([path]) => moduleName(path)),
  )
  await createFolderAtomically(folder, (temporary) => {
    const labels = classifier?.labels
    const metadata = isOfImages(model)
      ? {
          format: 'pt',
          [imageSizeKey]: JSON.stringify(model.imageSize),
          ...(labels && { [labelsKey]: JSON.stringify(labels) }),
        }
      : undefined
    writeSafetensors(join(temporary, weightsName), tensors, metadata)
    const config = { ...adapter, ...(whole !== null && { modulesToSave: [whole] }) }
    const isLanguageModel = family.task === 'causal-lm'
    writeJson(join(temporary, configName), adapterConfigJson(config, [...new Set(targets)], patterns, isLanguageModel))
    beside?.(temporary)
  })
}

const float32Tensor = (name: string, shape: number[], values: Float32Array): StoredTensor => ({
  name,
  dtype: 'float32',
  shape,
  bytes: fromFloat32(values, 'float32'),
})
