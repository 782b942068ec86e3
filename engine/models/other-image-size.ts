import { fromFloat32, toFloat32 } from '../checkpoint/dtype.ts'
import { badSetting } from '../shared/errors.ts'
import type { StoredTensor } from '../tensor/stored-tensor.ts'
import { type EncoderConfig, encoderConfig, isOfImages, type Size, pixelsText } from './encoder-config.ts'
import type { ModelConfig } from './model-config.ts'
import { type Grid, resizePositions } from './positions.ts'
import { familyOf } from './registry.ts'
import { tensorsOf } from './tensors.ts'

const gridOf = ({ imageSize, patchSize }: EncoderConfig): Grid => [
  Math.floor(imageSize[0] / patchSize[0]),
  Math.floor(imageSize[1] / patchSize[1]),
]

/**
 * The config of the same model for images of another size.
 *
 * @param edge of the images in pixels; undefined for those of the config
 * @throws SecateurError where the model takes none, or an image is smaller than a patch
 */
export function forImageSize(config: ModelConfig, edge: number | undefined): ModelConfig {
  if (edge === undefined) return config
  if (!isOfImages(config)) throw badSetting('imageSize', `a ${config.family} is a language model: leave it out`)
  const { patchSize } = config
  if (edge < Math.max(...patchSize))
    throw badSetting('imageSize', `${edge} pixels are less than a patch of ${pixelsText(patchSize)}`)
  const imageSize: Size = [edge, edge]
  return encoderConfig({ ...config, imageSize })
}

/** The name of the tensor of learned positions, and what they are for images of another size; null where they stay. */
export function resizedPositions(
  from: ModelConfig,
  to: ModelConfig,
): { name: string; shape: number[]; resize: (stored: StoredTensor) => StoredTensor } | null {
  const family = familyOf(to)
  if (from === to || family.task !== 'image-classification') return null
  const spec = tensorsOf(to).find(({ role }) => role.part === 'norm' && role.norm === 'positions')
  const [before, after] = [gridOf(from as EncoderConfig), gridOf(to as EncoderConfig)]
  if (!spec || before.join() === after.join()) return null
  const { hiddenSize, prefixTokens } = to as EncoderConfig
  const { name, shape } = spec
  return {
    name,
    shape,
    resize: (stored) => {
      const values = resizePositions(toFloat32(stored), hiddenSize, prefixTokens, before, after, family.positionFilter)
      return { name, shape, dtype: 'float32', bytes: fromFloat32(values, 'float32') }
    },
  }
}
