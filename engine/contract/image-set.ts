import { z } from 'zod'
import { failureSchema } from './names.ts'

export const imageSplit = z.enum(['train', 'test'])
export type ImageSplit = z.infer<typeof imageSplit>

/** How labelled images lie on disk. */
export const imageLayout = z.enum(['class folders', 'CUB-200-2011', 'VTAB-1k', 'Parquet'])
export type ImageLayout = z.infer<typeof imageLayout>

/** As many classes as are told of one by one. */
export const toldClasses = 50_000

/** What a set of labelled images holds, before any is decoded. */
export const imageSetSchema = z.object({
  layout: imageLayout,
  /** Its splits, or the one part of a set whose images are both (null). */
  parts: z.array(z.object({ split: imageSplit.nullable(), images: z.int() })),
  classCount: z.int(),
  /** In the order of their numbers, the first ones where there are very many; images of each part, as `parts` has them. */
  classes: z.array(z.object({ name: z.string(), images: z.array(z.int()) })),
})
export type ImageSetFacts = z.infer<typeof imageSetSchema>

/** As many broken images of a part as are named. */
export const namedBroken = 100

/** What decoding all images of a set found. */
export const imageCheckSchema = z.object({
  parts: z.array(
    z.object({
      split: imageSplit.nullable(),
      images: z.int(),
      broken: z.int(),
      /** What is wrong with each broken image, for the first ones. */
      messages: z.array(z.string()),
      /** What is worth knowing of the others. */
      notes: z.array(z.string()),
    }),
  ),
  /** Images that are in both splits, in a sentence; null where there are none. */
  duplicates: z.string().nullable(),
})
export type ImageCheck = z.infer<typeof imageCheckSchema>

/** A small image as a data address, with the size in pixels of the image that it stands for. */
const drawn = z.object({ width: z.int(), height: z.int(), dataUrl: z.string() })
const labelled = { name: z.string(), className: z.string() }

/** Images of a page; one that is damaged has an error in its place. */
export const thumbnailsSchema = z.object({
  images: z.array(z.union([drawn.extend(labelled), z.object({ ...labelled, error: failureSchema })])),
  /** Of the class and split that were asked for. */
  total: z.int(),
})
export type Thumbnails = z.infer<typeof thumbnailsSchema>

/** Images beside what a model makes of them before it looks. */
export const seenImagesSchema = z.object({
  images: z.array(
    z.union([
      z.object({
        ...labelled,
        original: drawn,
        /** After resizing and cropping, every pixel as it is, with the normalisation undone. */
        seen: drawn,
      }),
      z.object({ ...labelled, error: failureSchema }),
    ]),
  ),
  total: z.int(),
})
export type SeenImages = z.infer<typeof seenImagesSchema>
