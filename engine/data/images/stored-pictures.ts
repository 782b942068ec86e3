import { closeSync, readSync } from 'node:fs'
import { badFile } from '../../shared/errors.ts'
import { openFile } from '../../shared/open-file.ts'

/** Pictures that lie one after the other in a file: another thread can read them too. */
export interface StoredPictures {
  file: string
  /** Bytes of a picture. */
  bytes: number
  /** Where each picture lies in the file, counted in pictures. */
  places: Int32Array
  /** The class of each picture. */
  labels: Int32Array
}

/** What batches are made of: pictures with their classes, by their numbers. */
export interface PictureSource {
  readonly labels: Int32Array
  /** Writes picture number `index` into `target`: [height, width, 3], 8 bits. */
  read(index: number, target: Uint8Array): void
}

/** Reads pictures of a file. Dispose of it. */
export function readPictures({ file, bytes, places, labels }: StoredPictures): PictureSource & Disposable {
  const descriptor = openFile(file)
  return {
    labels,
    read(index, target) {
      const place = places[index]
      if (place === undefined || readSync(descriptor, target, 0, bytes, place * bytes) !== bytes)
        throw badFile(file, undefined, `ends before picture ${index}`)
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  }
}
