import { closeSync, readSync } from 'node:fs'
import { badFile } from '../../shared/errors.ts'
import { openFile } from '../../shared/open-file.ts'

/** Images that lie one after the other in a file: another thread can read them too. */
export interface StoredImages {
  file: string
  /** Bytes of an image. */
  bytes: number
  /** Where each image lies in the file, counted in images. */
  places: Int32Array
  /** The class of each image. */
  labels: Int32Array
}

/** What batches are made of: images with their classes, by their numbers. */
export interface ImageSource {
  readonly labels: Int32Array
  /** Writes image number `index` into `target`: [height, width, 3], 8 bits. */
  read(index: number, target: Uint8Array): void
}

/** Reads images of a file. Dispose of it. */
export function readImages({ file, bytes, places, labels }: StoredImages): ImageSource & Disposable {
  const descriptor = openFile(file)
  return {
    labels,
    read(index, target) {
      const place = places[index]
      if (place === undefined || readSync(descriptor, target, 0, bytes, place * bytes) !== bytes)
        throw badFile(file, undefined, `ends before image ${index}`)
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  }
}
