import type { CheckpointDetail, CheckpointSummary } from '../../../../electron/contract/index.ts'
import { capital, count, counted, number } from '../../format.ts'

type Fact = { name: string; value: string; path?: boolean }
type ImageFacts = NonNullable<CheckpointDetail['imageFacts']>

const pixels = ({ width, height }: { width: number; height: number }) => `${count(width)} × ${count(height)}`

/** "Images of 32 × 32 px in 20 classes" */
export const imagesText = ({ size, classes }: NonNullable<CheckpointSummary['images']>): string =>
  `Images of ${pixels(size)} px ${classes === 0 ? 'without a classifier' : `in ${counted(classes, 'class', 'classes')}`}`

/** What a model of images looks at, as names and values. */
export function imageFactsOf({ size, patch, colours, classes, preprocessing }: ImageFacts): Fact[] {
  const patches = Math.floor(size.width / patch.width) * Math.floor(size.height / patch.height)
  return [
    {
      name: 'Images',
      value: `${pixels(size)} px, ${colours === 3 ? 'red, green and blue' : counted(colours, 'colour')}`,
    },
    { name: 'Patches', value: `${pixels(patch)} px, ${count(patches)} an image` },
    { name: 'Classes', value: classes.length === 0 ? 'None: it has no classifier yet' : count(classes.length) },
    ...preprocessingOf(preprocessing),
  ]
}

function preprocessingOf(told: ImageFacts['preprocessing']): Fact[] {
  if (told === null) return [{ name: 'Preprocessing', value: 'Cannot be read' }]
  const { resize, filter, crop, mean, deviation, source } = told
  return [
    {
      name: 'Resized',
      value: resize === null ? 'Not at all' : capital(`${resize.replace(' x ', ' × ')} px, ${filter}`),
    },
    { name: 'Cropped', value: crop === null ? 'Not at all' : `To ${pixels(crop)} px in the middle` },
    { name: 'Mean of colours', value: list(mean) },
    { name: 'Deviation of colours', value: list(deviation) },
    source === null
      ? { name: 'Preprocessing from', value: 'Nowhere: the usual values of ViT are taken' }
      : { name: 'Preprocessing from', value: source, path: true },
  ]
}

const list = (values: readonly number[]) => values.map((value) => number(value, 4)).join(', ')
