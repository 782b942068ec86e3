import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import type { PictureSource } from '../../engine/data/images/stored-pictures.ts'
import { Random } from '../../engine/shared/random.ts'
import { draw, side } from './draw.ts'
import { files, training, visionSeed } from './recipe.ts'
import { type Shape, shapes } from './shapes.ts'

/** Streams of pictures; none has a picture of another one. */
export type Part = 'training' | 'train' | 'test'

/** A picture [side, side, 3] by its number, the same at every call. */
export const drawn = (part: Part, shape: Shape, number: number, seed: number = visionSeed): Uint8Array =>
  draw(shape, new Random(seed).fork(`${part} ${shape.name} ${number}`))

const fileName = (number: number) => `${String(number).padStart(3, '0')}.png`

/** Writes the pictures that the repository ships, in folders `train` and `test` of class folders. */
export async function writePictures(folder: string, seed: number = visionSeed): Promise<void> {
  for (const part of ['train', 'test'] as const) {
    rmSync(join(folder, part), { recursive: true, force: true })
    for (const shape of shapes) {
      mkdirSync(join(folder, part, shape.name), { recursive: true })
      for (let number = 0; number < files[part]; number++) {
        const raw = { width: side, height: side, channels: 3 } as const
        const picture = sharp(drawn(part, shape, number, seed), { raw }).png({ compressionLevel: 9 })
        writeFileSync(join(folder, part, shape.name, fileName(number)), await picture.toBuffer())
      }
    }
  }
}

/** The pictures that the model is trained on, in memory. */
export function trainingPictures(): PictureSource {
  const all = shapes.flatMap((shape) =>
    Array.from({ length: training.pictures }, (_, number) => drawn('training', shape, number)),
  )
  return {
    labels: Int32Array.from(all, (_, i) => Math.floor(i / training.pictures)),
    read: (index, target) => target.set(all[index]!),
  }
}
