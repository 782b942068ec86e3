import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { decodeImage } from '../../../engine/data/images/decode.ts'
import { openImageSet } from '../../../engine/data/images/image-set.ts'
import { openImageStore } from '../../../engine/data/images/image-store.ts'
import { readPreprocessing } from '../../../engine/data/images/preprocessing.ts'
import { imageParquet, toldOf } from '../../unit/data/images/image-parquet.ts'
import { bmp } from '../../unit/data/images/image-files.ts'
import type { Input, Target } from '../target.ts'

const lines = (...text: string[]) => Buffer.from(text.map((line) => `${line}\n`).join(''))

const raw = { width: 9, height: 7, channels: 3 } as const
const colours = Buffer.from(Array.from({ length: 9 * 7 * 3 }, (_, i) => (i * 7919) % 251))
const base = () => sharp(colours, { raw })

/** A file of every format that is read, and of the kinds within it that are decoded otherwise. */
async function imageFiles(): Promise<Input> {
  const deep = sharp(new Uint16Array(9 * 7 * 3).fill(30_000), { raw }).toColourspace('rgb16')
  const animation = sharp(Buffer.concat([colours, colours]), { raw: { ...raw, height: 14, pageHeight: 7 } })
  return {
    'a.png': await base().png().toBuffer(),
    'palette.png': await base().png({ palette: true }).toBuffer(),
    'deep.png': await deep.png().toBuffer(),
    'a.jpg': await base().jpeg().toBuffer(),
    'cmyk.jpg': await base().toColourspace('cmyk').jpeg().toBuffer(),
    'turned.jpg': await base().withMetadata({ orientation: 6 }).jpeg({ progressive: true }).toBuffer(),
    'a.webp': await base().webp().toBuffer(),
    'a.gif': await animation.gif().toBuffer(),
    'a.tiff': await base().tiff({ compression: 'lzw' }).toBuffer(),
    'a.bmp': bmp(24),
    'palette.bmp': bmp(8),
  }
}

export const images: Target = {
  name: 'images',
  seeds: async () => Object.entries(await imageFiles()).map(([name, bytes]) => ({ [name]: bytes })),
  async read(folder) {
    const [name] = readdirSync(folder)
    await decodeImage(join(folder, name!))
  },
}

/** Sets of images that are told of in files, with their images beside them. */
export const imageSets: Target = {
  name: 'image-sets',
  fixed: ['images/a.png', 'images/b.png'],
  // What keeps the decoder of a Parquet file busy is given up after ten seconds.
  patience: 25_000,
  async seeds(): Promise<Input[]> {
    const image = await base().png().toBuffer()
    const beside = { 'images/a.png': image, 'images/b.png': image }
    const packed = ['a.png', 'b.png'].map((path) => ({ bytes: image, path }))
    return [
      { ...beside, 'train.txt': lines('images/a.png 0', 'images/b.png 1') },
      {
        ...beside,
        'images.txt': lines('1 a.png', '2 b.png'),
        'image_class_labels.txt': lines('1 1', '2 2'),
        'train_test_split.txt': lines('1 1', '2 1'),
        'classes.txt': lines('1 001.One', '2 002.Two'),
      },
      { 'train.parquet': imageParquet({ image: packed, label: [0n, 1n], kvMetadata: toldOf(['one', 'two']) }) },
    ]
  },
  async read(folder, out) {
    const { signal } = new AbortController()
    const set = await openImageSet(folder, 'train', signal)
    const options = { badRows: 'skip', signal, folder: out } as const
    try {
      using store = await openImageStore(
        set,
        readPreprocessing(folder, { source: {}, imageSize: [7, 9], colours: 3 }),
        [7, 9],
        options,
      )
      store.read(0, new Uint8Array(7 * 9 * 3))
    } finally {
      // What was decoded is kept for the next run over the same files, which there is none of here.
      rmSync(out, { recursive: true, force: true })
    }
  },
}
