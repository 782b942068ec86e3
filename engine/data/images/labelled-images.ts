export interface LabelledImage {
  file: string
  /** Where it stands in its file, from 0, where that holds many. */
  row?: number
  /** Number of its class in `ImageSet.classes`. */
  label: number
}

/** Images with their classes, in an order that does not depend on the file system. */
export interface ImageSet {
  /** The folder or list that they were found by. */
  path: string
  classes: readonly string[]
  images: readonly LabelledImage[]
}

/** How an image is spoken of. */
export const nameOf = ({ file, row }: LabelledImage): string => (row === undefined ? file : `${file}: row ${row}`)

export type { ImageSplit } from '../../contract/index.ts'
