import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { badFile } from '../../shared/errors.ts'
import { parseAs, readJson } from '../../shared/files.ts'
import { centreCrop, type CropRounding, type Filter, type Pixels, resize } from './resample.ts'

/** What is done with an image before the model sees it, as transformers and timm write it down beside a checkpoint. */
export interface Preprocessing {
  /** To a size, or until the shorter edge has a length; null leaves the image as it is. */
  resize: { to: 'size'; height: number; width: number } | { to: 'shorter-edge'; length: number } | null
  filter: Filter
  /** The middle that is cut out afterwards. */
  crop: { height: number; width: number; rounding: CropRounding } | null
  /** 8-bit values times `scale`, minus `mean`, divided by `deviation`, colour by colour. */
  scale: number
  mean: readonly number[]
  deviation: readonly number[]
  /** Where all this was found; null where nothing is written down and the usual values are taken. */
  source: string | null
}

const edge = z.int().min(1).max(16_384)
const sizeSchema = z.union([edge, z.object({ height: edge, width: edge }), z.object({ shortest_edge: edge })])
const three = z.array(z.number()).min(1).max(64)

const huggingFaceSchema = z.looseObject({
  do_resize: z.boolean().nullish(),
  size: sizeSchema.nullish(),
  resample: z.int().min(0).max(5).nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: sizeSchema.nullish(),
  do_rescale: z.boolean().nullish(),
  rescale_factor: z.number().positive().max(1).nullish(),
  do_normalize: z.boolean().nullish(),
  image_mean: three.nullish(),
  image_std: three.nullish(),
})

const timmSchema = z.looseObject({
  pretrained_cfg: z.looseObject({
    input_size: z.tuple([edge, edge, edge]),
    interpolation: z.enum(['nearest', 'bilinear', 'bicubic', 'lanczos']).default('bicubic'),
    crop_pct: z.number().positive().max(4).default(0.875),
    crop_mode: z.enum(['center', 'squash', 'border']).default('center'),
    mean: three,
    std: three,
  }),
})

/** Pillow's numbers of filters, as `resample` has them. */
const filters: Record<number, Filter> = { 0: 'nearest', 1: 'lanczos', 2: 'bilinear', 3: 'bicubic' }

const same = (value: number, colours: number): number[] => Array.from({ length: colours }, () => value)

/** The usual values of ViT: resized to the model's size, colours between -1 and 1. */
const usual = ([height, width]: readonly [number, number], colours: number): Preprocessing => ({
  resize: { to: 'size', height, width },
  filter: 'bilinear',
  crop: null,
  scale: 1 / 255,
  mean: same(0.5, colours),
  deviation: same(0.5, colours),
  source: null,
})

/** What a model says of the images that it takes. */
interface ImageConfig {
  /** Its config.json. */
  source: Readonly<Record<string, unknown>>
  /** Height and width in pixels. */
  imageSize: readonly [number, number]
  /** Values of a pixel. */
  colours: number
}

/**
 * The preprocessing that a checkpoint asks for, in preprocessor_config.json or, for timm, in config.json, for images of the
 * model's size.
 *
 * @throws SecateurError that names the file and the field
 */
export function readPreprocessing(folder: string, { source, imageSize, colours }: ImageConfig): Preprocessing {
  const file = join(folder, 'preprocessor_config.json')
  const found = existsSync(file)
    ? ofHuggingFace(readJson(file, huggingFaceSchema), file, imageSize, colours)
    : 'pretrained_cfg' in source
      ? ofTimm(source, join(folder, 'config.json'), imageSize)
      : usual(imageSize, colours)
  for (const [name, values] of [
    ['mean', found.mean],
    ['deviation', found.deviation],
  ] as const)
    if (values.length !== colours)
      throw badFile(found.source ?? folder, name, `has ${values.length} values; the model sees ${colours} colours`)
  if (found.deviation.includes(0)) throw badFile(found.source ?? folder, 'image_std', 'divides by 0')
  return found
}

function ofHuggingFace(
  fields: z.infer<typeof huggingFaceSchema>,
  file: string,
  imageSize: readonly [number, number],
  colours: number,
): Preprocessing {
  const filter = filters[fields.resample ?? 2]
  if (!filter)
    throw badFile(file, 'resample', `is ${fields.resample}; 0 to 3 are supported (nearest, lanczos, bilinear, bicubic)`)
  const [height, width] = imageSize
  const crops = (fields.do_center_crop ?? false) && cropOf(fields.crop_size, imageSize)
  const { size } = fields
  // A model that is taken for images of another size gets its images in that size, whatever was written for the old one.
  const ends = crops ? crops : sizeOf(size, imageSize)
  const fits = ends.height === height && ends.width === width
  const asWritten = fits && size !== null && size !== undefined && typeof size === 'object' && 'shortest_edge' in size
  const resizes: Preprocessing['resize'] = asWritten
    ? { to: 'shorter-edge', length: size.shortest_edge }
    : crops && fits
      ? { to: 'size', ...sizeOf(size, imageSize) }
      : { to: 'size', height, width }
  const colourwise = (values: readonly number[] | null | undefined, other: number) =>
    (fields.do_normalize ?? true) ? (values ?? same(0.5, colours)) : same(other, colours)
  return {
    resize: (fields.do_resize ?? true) ? resizes : null,
    filter,
    crop: crops && fits ? { ...crops, rounding: 'down' } : null,
    scale: (fields.do_rescale ?? true) ? (fields.rescale_factor ?? 1 / 255) : 1,
    mean: colourwise(fields.image_mean, 0),
    deviation: colourwise(fields.image_std, 1),
    source: file,
  }
}

type SizeField = z.infer<typeof sizeSchema> | null | undefined

const sizeOf = (size: SizeField, [height, width]: readonly [number, number]) =>
  typeof size === 'number'
    ? { height: size, width: size }
    : size && 'height' in size
      ? { height: size.height, width: size.width }
      : { height, width }

const cropOf = (size: SizeField, imageSize: readonly [number, number]) =>
  size && typeof size === 'object' && 'shortest_edge' in size
    ? { height: size.shortest_edge, width: size.shortest_edge }
    : sizeOf(size, imageSize)

function ofTimm(
  config: Readonly<Record<string, unknown>>,
  file: string,
  [height, width]: readonly [number, number],
): Preprocessing {
  const { pretrained_cfg: own } = parseAs(timmSchema, config, file)
  if (own.crop_mode === 'border') throw badFile(file, 'pretrained_cfg.crop_mode', 'is "border", which is not supported')
  const length = Math.floor(Math.min(height, width) / own.crop_pct)
  return {
    resize:
      own.crop_mode === 'squash'
        ? { to: 'size', height: Math.floor(height / own.crop_pct), width: Math.floor(width / own.crop_pct) }
        : { to: 'shorter-edge', length },
    filter: own.interpolation,
    crop: { height, width, rounding: 'even' },
    scale: 1 / 255,
    mean: own.mean,
    deviation: own.std,
    source: file,
  }
}

/** An image as the model sees it, before its colours are scaled: 8 bits, [height, width, colours]. */
export function fitted(image: Pixels, { resize: to, filter, crop }: Preprocessing): Pixels {
  let result = image
  if (to?.to === 'size') result = resize(image, to.width, to.height, filter)
  if (to?.to === 'shorter-edge') {
    const shorter = Math.min(image.width, image.height)
    // The longer edge is cut to whole pixels, as torchvision does.
    const along = (length: number) => (length === shorter ? to.length : Math.floor((to.length * length) / shorter))
    result = resize(image, along(image.width), along(image.height), filter)
  }
  return crop ? centreCrop(result, crop.width, crop.height, crop.rounding) : result
}

/**
 * Colours as the model reads them.
 *
 * @param pixels [height, width, colours], 8 bits
 * @param result takes [colours, height, width]
 */
export function normalise(
  pixels: Uint8Array,
  colours: number,
  { scale, mean, deviation }: Preprocessing,
  result: Float32Array,
): void {
  const size = pixels.length / colours
  for (let colour = 0; colour < colours; colour++) {
    const factor = scale / deviation[colour]!
    const shift = mean[colour]! / deviation[colour]!
    for (let i = 0; i < size; i++) result[colour * size + i] = pixels[i * colours + colour]! * factor - shift
  }
}
