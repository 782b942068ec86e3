import { areUnnamed } from '../models/encoder-config.ts'
import type { ImageSet } from '../data/images/image-set.ts'
import { badFile, SecateurError } from '../shared/errors.ts'

const plain = (name: string) =>
  name
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()

/** What a model is trained to tell apart, and which of it each class of some images is. */
export interface TrainedClasses {
  labels: readonly string[]
  classOf: readonly number[]
  /** Why the classifier is a new one; null where it is the model's own. */
  newFor: string | null
}

/**
 * The classes of training images: the model's own where it knows all of them, and otherwise those of the images.
 *
 * @param labels of the model; empty where it has no classifier
 * @throws SecateurError where there is nothing to tell apart
 */
export function trainedClasses({ classes, path }: ImageSet, labels: readonly string[]): TrainedClasses {
  if (labels.length > 0)
    try {
      return { labels, classOf: matchClasses(classes, labels, path), newFor: null }
    } catch (error) {
      if (!(error instanceof SecateurError)) throw error
      return ofImages(error.message)
    }
  return ofImages('the model has none')

  function ofImages(newFor: string): TrainedClasses {
    if (classes.length < 2)
      throw badFile(path, undefined, `has ${classes.length} class, so that there is nothing to tell apart`)
    return { labels: classes, classOf: [...classes.keys()], newFor }
  }
}

/**
 * The model's class of each class of some images: by name, whatever its capitals and dashes; where the model's classes have
 * no names, or the images' are numbers, by number.
 *
 * @param path where the images are, for the message
 * @throws SecateurError where a class of the images is not the model's
 */
export function matchClasses(classes: readonly string[], labels: readonly string[], path: string): number[] {
  const numbered = classes.every((name, i) => name === String(i))
  if (areUnnamed(labels) || numbered) {
    if (classes.length === labels.length || (numbered && classes.length < labels.length)) return [...classes.keys()]
    throw badFile(path, undefined, `has ${classes.length} classes, and the model tells ${labels.length} apart`)
  }
  const byName = new Map(labels.map((label, i) => [plain(label), i]))
  // ImageNet's labels list synonyms: "tench, Tinca tinca".
  for (const [i, label] of labels.entries())
    for (const synonym of label.split(',')) if (!byName.has(plain(synonym))) byName.set(plain(synonym), i)
  return classes.map((name) => {
    const label = byName.get(plain(name))
    if (label !== undefined) return label
    const known = labels.slice(0, 5).join(', ')
    throw badFile(
      path,
      undefined,
      `has the class "${name}", which the model does not know; it knows ${known}${labels.length > 5 ? ', ...' : ''}`,
    )
  })
}
