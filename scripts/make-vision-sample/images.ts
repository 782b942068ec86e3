import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import type { ImageSource } from '../../engine/data/images/stored-images.ts'
import { Random } from '../../engine/shared/random.ts'
import { draw, side } from './draw.ts'
import { files, training, visionSeed } from './recipe.ts'
import { type Shape, shapes } from './shapes.ts'

/** Streams of images; none has an image of another one. */
export type Part = 'training' | 'train' | 'test'

/** An image [side, side, 3] by its number, the same at every call. */
export const drawn = (part: Part, shape: Shape, number: number, seed: number = visionSeed): Uint8Array =>
  draw(shape, new Random(seed).fork(`${part} ${shape.name} ${number}`))

const fileName = (number: number) => `${String(number).padStart(3, '0')}.png`

/** Writes the images that the repository ships, in folders `train` and `test` of class folders. */
export async function writeImages(folder: string, seed: number = visionSeed): Promise<void> {
  for (const part of ['train', 'test'] as const) {
    rmSync(join(folder, part), { recursive: true, force: true })
    for (const shape of shapes) {
      mkdirSync(join(folder, part, shape.name), { recursive: true })
      for (let number = 0; number < files[part]; number++) {
        const raw = { width: side, height: side, channels: 3 } as const
        const image = sharp(drawn(part, shape, number, seed), { raw }).png({ compressionLevel: 9 })
        writeFileSync(join(folder, part, shape.name, fileName(number)), await image.toBuffer())
      }
    }
  }
}

/** The images that the model is trained on, in memory. */
export function trainingImages(): ImageSource {
  const all = shapes.flatMap((shape) =>
    Array.from({ length: training.images }, (_, number) => drawn('training', shape, number)),
  )
  return {
    labels: Int32Array.from(all, (_, i) => Math.floor(i / training.images)),
    read: (index, target) => target.set(all[index]!),
  }
}
