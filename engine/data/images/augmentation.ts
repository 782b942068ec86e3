import type { Random } from '../../shared/random.ts'
import { crop, type Pixels, resize } from './resample.ts'

/** What training does to images: nothing (VTAB's protocol), mirror half of them, or cut out a part as well. */
export type Augmentation = 'none' | 'flip' | 'crop-and-flip'

/** Shares of the area, and ratios of width to height, of a part that is cut out: torchvision's defaults. */
const areas = [0.08, 1] as const
const ratios = [3 / 4, 4 / 3] as const

/** An image as training sees it this time, in its own size. */
export function augmented(image: Pixels, kind: Augmentation, random: Random): Pixels {
  if (kind === 'none') return image
  const part = kind === 'crop-and-flip' ? randomPart(image, random) : image
  return random.uniform() < 0.5 ? mirrored(part) : part
}

/** A part of random size and shape, resized to the size of the whole (Szegedy et al., arXiv 1409.4842). */
function randomPart(image: Pixels, random: Random): Pixels {
  const { width, height } = image
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * between(areas[0], areas[1], random)
    const ratio = Math.exp(between(Math.log(ratios[0]), Math.log(ratios[1]), random))
    const partWidth = Math.round(Math.sqrt(area * ratio))
    const partHeight = Math.round(Math.sqrt(area / ratio))
    if (partWidth < 1 || partHeight < 1 || partWidth > width || partHeight > height) continue
    const left = random.integer(width - partWidth + 1)
    const top = random.integer(height - partHeight + 1)
    return resize(crop(image, left, top, partWidth, partHeight), width, height, 'bilinear')
  }
  return image
}

const between = (low: number, high: number, random: Random) => low + (high - low) * random.uniform()

function mirrored({ data, width, height, colours }: Pixels): Pixels {
  const result = new Uint8Array(data.length)
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const from = (row * width + column) * colours
      const to = (row * width + width - 1 - column) * colours
      for (let colour = 0; colour < colours; colour++) result[to + colour] = data[from + colour]!
    }
  return { data: result, width, height, colours }
}
