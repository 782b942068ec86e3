/** How pixels between pixels are found when an image is resized. */
export type Filter = 'nearest' | 'bilinear' | 'bicubic' | 'lanczos'

/** 8-bit pixels, row by row, the values of a pixel beside each other. */
export interface Pixels {
  data: Uint8Array
  width: number
  height: number
  /** Values of a pixel. */
  colours: number
}

interface Kernel {
  /** Pixels to each side that count, where the image is not made smaller. */
  support: number
  at: (distance: number) => number
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x))

const kernels: Record<Exclude<Filter, 'nearest'>, Kernel> = {
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  // Keys' cubic convolution with a = -1/2, as Pillow has it.
  bicubic: {
    support: 2,
    at: (distance) => {
      const x = Math.abs(distance)
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    },
  },
  lanczos: { support: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

/**
 * An image in another size, as Pillow resizes it, which preprocessing in transformers and timm goes by: a filter that grows
 * with the scale (antialiasing), columns first, each pass rounded to 8 bits.
 */
export function resize(image: Pixels, width: number, height: number, filter: Filter): Pixels {
  if (filter === 'nearest') return nearest(image, width, height)
  const across = width === image.width ? image : resampled(image, width, kernels[filter], 'columns')
  return height === across.height ? across : resampled(across, height, kernels[filter], 'rows')
}

function nearest({ data, width, height, colours }: Pixels, toWidth: number, toHeight: number): Pixels {
  const result = new Uint8Array(toWidth * toHeight * colours)
  const rows = nearestOf(height, toHeight)
  const columns = nearestOf(width, toWidth)
  for (let row = 0; row < toHeight; row++) {
    for (let column = 0; column < toWidth; column++) {
      const at = (rows[row]! * width + columns[column]!) * colours
      for (let colour = 0; colour < colours; colour++)
        result[(row * toWidth + column) * colours + colour] = data[at + colour]!
    }
  }
  return { data: result, width: toWidth, height: toHeight, colours }
}

/** The old pixel under the middle of each new one. Pillow adds up, which rounds otherwise than a product. */
function nearestOf(size: number, to: number): number[] {
  const step = size / to
  let place = step / 2
  return Array.from({ length: to }, () => {
    const from = Math.floor(place)
    place += step
    return from
  })
}

/** Weights are integers of so many bits, as Pillow's are, so that sums beside one half are rounded alike. */
const precision = 2 ** 22

/** What each new pixel is made of: pixels from `first` on, with their weights. */
function windows(size: number, to: number, { support, at }: Kernel): { first: number; weights: Float64Array }[] {
  const scale = size / to
  const stretch = Math.max(1, scale)
  const reach = support * stretch
  return Array.from({ length: to }, (_, index) => {
    const centre = (index + 0.5) * scale
    const first = Math.max(0, Math.floor(centre - reach + 0.5))
    const end = Math.min(size, Math.floor(centre + reach + 0.5))
    const weights = Float64Array.from({ length: end - first }, (__, i) => at((first + i - centre + 0.5) / stretch))
    const sum = weights.reduce((all, weight) => all + weight, 0)
    return { first, weights: weights.map((weight) => roundAway((weight / sum) * precision)) }
  })
}

const roundAway = (x: number) => Math.sign(x) * Math.round(Math.abs(x))

function resampled(image: Pixels, size: number, kernel: Kernel, along: 'columns' | 'rows'): Pixels {
  const { data, width, height, colours } = image
  const [toWidth, toHeight] = along === 'columns' ? [size, height] : [width, size]
  const result = new Uint8Array(toWidth * toHeight * colours)
  const step = along === 'columns' ? colours : width * colours
  const found = windows(along === 'columns' ? width : height, size, kernel)
  for (let row = 0; row < toHeight; row++)
    for (let column = 0; column < toWidth; column++) {
      const { first, weights } = found[along === 'columns' ? column : row]!
      const start = along === 'columns' ? (row * width + first) * colours : (first * width + column) * colours
      const to = (row * toWidth + column) * colours
      for (let colour = 0; colour < colours; colour++) {
        let sum = precision / 2
        for (let i = 0; i < weights.length; i++) sum += weights[i]! * data[start + i * step + colour]!
        const value = Math.floor(sum / precision)
        result[to + colour] = value < 0 ? 0 : value > 255 ? 255 : value
      }
    }
  return { data: result, width: toWidth, height: toHeight, colours }
}

/** What is done with half a pixel at the edge of a centre crop: transformers cuts it off, torchvision (and timm) rounds to even. */
export type CropRounding = 'down' | 'even'

/** The middle of an image; what lies outside of it, where the image is smaller, is black. */
export function centreCrop(image: Pixels, width: number, height: number, rounding: CropRounding): Pixels {
  const half = (difference: number) => {
    const down = Math.floor(difference / 2)
    return rounding === 'even' && difference % 2 !== 0 && down % 2 !== 0 ? down + 1 : down
  }
  return crop(image, half(image.width - width), half(image.height - height), width, height)
}

/** A part of an image; what lies outside of it is black. */
export function crop(image: Pixels, left: number, top: number, width: number, height: number): Pixels {
  const { colours } = image
  const result = new Uint8Array(width * height * colours)
  const begin = Math.max(0, left)
  const end = Math.min(image.width, left + width)
  for (let row = 0; row < height; row++) {
    const from = top + row
    if (from < 0 || from >= image.height || end <= begin) continue
    const part = image.data.subarray((from * image.width + begin) * colours, (from * image.width + end) * colours)
    result.set(part, (row * width + begin - left) * colours)
  }
  return { data: result, width, height, colours }
}
