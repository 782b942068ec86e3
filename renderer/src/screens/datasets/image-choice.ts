import type { ImageSetFacts, ImageSplit } from '../../../../electron/contract/index.ts'
import { counted } from '../../format.ts'

/** Which images of a set are shown; null where the choice is left open. */
export interface ImageChoice {
  readonly split: ImageSplit | null
  readonly className: string | null
}

/** A choice as requests have it. */
export const asked = ({ split, className }: ImageChoice) => ({
  ...(split === null ? {} : { split }),
  ...(className === null ? {} : { className }),
})

/** What a split is for. */
export const splitName = (split: ImageSplit | null): string =>
  split === 'train' ? 'for training' : split === 'test' ? 'for scores' : 'for both'

/** "1,000 for training" */
export const partText = ({ split, images }: ImageSetFacts['parts'][number]): string =>
  `${counted(images, 'image')} ${splitName(split)}`

/** Classes whose name has the words of a search. */
export const findClasses = (classes: ImageSetFacts['classes'], search: string): ImageSetFacts['classes'] => {
  const wanted = search.trim().toLowerCase()
  return wanted === '' ? classes : classes.filter(({ name }) => name.toLowerCase().includes(wanted))
}
