import { type ImageSetFacts, type ParsedServiceParams, toldClasses } from '../contract/index.ts'
import { layoutOf } from '../data/images/image-layout.ts'
import { type ImageSet, openImageSet } from '../data/images/image-set.ts'
import type { ImageSplit } from '../data/images/labelled-images.ts'
import type { WorkControl } from '../shared/work-control.ts'

/** A split of a set, or all of it where its images are both (null). */
export interface ImagePart {
  split: ImageSplit | null
  set: ImageSet
}

/** The splits of a set. @throws SecateurError of what is wrong with any of them */
export async function openParts(path: string, signal: AbortSignal): Promise<ImagePart[]> {
  const { splits } = await layoutOf(path)
  const parts: ImagePart[] = []
  for (const split of splits.length > 0 ? splits : [null])
    parts.push({ split, set: await openImageSet(path, split ?? 'train', signal) })
  return parts
}

/** Splits and classes of a set of labelled images, none of which is decoded. */
export async function describeImages(
  { path }: ParsedServiceParams<'describeImages'>,
  { signal }: Pick<WorkControl, 'signal'>,
): Promise<ImageSetFacts> {
  const { layout } = await layoutOf(path)
  return factsOfParts(layout, await openParts(path, signal))
}

/** What splits of a set hold. */
export function factsOfParts(layout: ImageSetFacts['layout'], parts: readonly ImagePart[]): ImageSetFacts {
  const counts = new Map<string, number[]>()
  for (const [part, { set }] of parts.entries()) {
    for (const name of set.classes) counts.set(name, counts.get(name) ?? parts.map(() => 0))
    for (const { label } of set.images) counts.get(set.classes[label]!)![part]! += 1
  }
  return {
    layout,
    parts: parts.map(({ split, set }) => ({ split, images: set.images.length })),
    classCount: counts.size,
    classes: [...counts].slice(0, toldClasses).map(([name, images]) => ({ name, images })),
  }
}
