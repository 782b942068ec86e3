import { join } from 'node:path'
import {
  type AnswerOutcome,
  compareAnswers,
  type ComparedImages,
  type ImagePredictions,
  type ParsedServiceParams,
} from '../contract/index.ts'
import { badSetting } from '../shared/errors.ts'
import { readImagePredictions } from './predictions.ts'

type Asked = ParsedServiceParams<'compareImages'>
type Answer = ComparedImages['images'][number]['after']

/** An image that both checkpoints answered: its places in their predictions; the first is null where there is one alone. */
interface Both {
  before: number | null
  after: number
}

/**
 * What two checkpoints said of the same images: those that lie in the same place. Null where a run kept no predictions of
 * images, as those of earlier versions did not.
 *
 * @throws SecateurError where a file of predictions is damaged
 */
export function compareImages(asked: Asked): ComparedImages | null {
  const after = readImagePredictions(asked.after.path, asked.after.which)
  const before = asked.before ? readImagePredictions(asked.before.path, asked.before.which) : null
  if (!after || (asked.before && !before)) return null
  if (!before && asked.outcome !== 'all' && asked.outcome !== 'wrong')
    throw badSetting('outcome', `${asked.outcome} asks for two checkpoints, and there is one`)
  const pairs = before ? matched(before, after) : [...after.labels.keys()].map((at) => ({ before: null, after: at }))
  const wanted = pairs.filter(filterOf(asked, before, after))
  return {
    n: pairs.length,
    unmatched: {
      before: (before?.labels.length ?? pairs.length) - pairs.length,
      after: after.labels.length - pairs.length,
    },
    paired: before && pairs.length > 0 ? pairedOf(pairs, before, after) : null,
    classes: classesOf(pairs, before, after),
    total: wanted.length,
    images: wanted.slice(asked.offset, asked.offset + asked.limit).map((both) => ({
      ...placeOf(after, both.after),
      label: after.classes[after.labels[both.after]!]!,
      before: before && answerOf(before, both.before!),
      after: answerOf(after, both.after),
    })),
  }
}

const isRight = ({ ranks }: ImagePredictions, at: number): boolean => ranks[at] === 0

const placeOf = ({ folder, files, packed }: ImagePredictions, at: number) => {
  const name = files[packed ? packed.file[at]! : at]!
  const row = packed ? packed.row[at]! : null
  return { file: join(folder, name), row, name: row === null ? name : `${name}: row ${row}` }
}

/** What tells an image from all others. */
const keyOf = (predictions: ImagePredictions, at: number) => {
  const { file, row } = placeOf(predictions, at)
  return row === null ? file : `${file}\0${row}`
}

/** Images of both, by where they lie. */
function matched(before: ImagePredictions, after: ImagePredictions): Both[] {
  const places = new Map([...before.labels.keys()].map((at) => [keyOf(before, at), at]))
  return [...after.labels.keys()].flatMap((at) => {
    const other = places.get(keyOf(after, at))
    return other === undefined ? [] : [{ before: other, after: at }]
  })
}

/** Whether an image, or a row, is meant, by whether it was right and is right. */
export const outcomes: Record<AnswerOutcome, (was: boolean, is: boolean) => boolean> = {
  all: () => true,
  wrong: (_, is) => !is,
  changed: (was, is) => was !== is,
  'right-to-wrong': (was, is) => was && !is,
  'wrong-to-right': (was, is) => !was && is,
  'both-wrong': (was, is) => !was && !is,
}

const nameIn = ({ classes }: ImagePredictions, number: number | undefined) => classes[number!]

function filterOf(
  { outcome, label, predictedBefore, predicted }: Asked,
  before: ImagePredictions | null,
  after: ImagePredictions,
) {
  return (both: Both): boolean =>
    outcomes[outcome](before ? isRight(before, both.before!) : false, isRight(after, both.after)) &&
    (label === undefined || nameIn(after, after.labels[both.after]) === label) &&
    (predicted === undefined || nameIn(after, after.predicted[both.after]) === predicted) &&
    (predictedBefore === undefined || !before || nameIn(before, before.predicted[both.before!]) === predictedBefore)
}

function pairedOf(pairs: readonly Both[], before: ImagePredictions, after: ImagePredictions) {
  const text = (right: (both: Both) => boolean) => pairs.map((both) => (right(both) ? '1' : '0')).join('')
  return compareAnswers(
    text((both) => isRight(before, both.before!)),
    text((both) => isRight(after, both.after)),
  )
}

/** How many images of each class changed, in the order of the classes. */
function classesOf(pairs: readonly Both[], before: ImagePredictions | null, after: ImagePredictions) {
  const counts = after.classes.map((name) => ({ name, n: 0, rightToWrong: 0, wrongToRight: 0 }))
  for (const both of pairs) {
    const count = counts[after.labels[both.after]!]!
    count.n++
    if (!before) continue
    const [was, is] = [isRight(before, both.before!), isRight(after, both.after)]
    if (was && !is) count.rightToWrong++
    if (!was && is) count.wrongToRight++
  }
  return counts.filter(({ n }) => n > 0)
}

function answerOf({ classes, predicted, ranks, logLikelihoods }: ImagePredictions, at: number): Answer {
  return {
    predicted: classes[predicted[at]!]!,
    rank: ranks[at]!,
    probability: Math.exp(logLikelihoods.predicted[at]!),
    ofLabel: Math.exp(logLikelihoods.label[at]!),
  }
}
