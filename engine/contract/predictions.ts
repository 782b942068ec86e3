import { z } from 'zod'
import { pairedSchema } from './evaluation.ts'
import { failureSchema, path } from './names.ts'
import { taskKey } from './tasks.ts'

/** More predictions of one task than these are not kept, and files that are larger are not read. */
export const mostPredictions = 200_000
export const mostPredictionBytes = 64 * 2 ** 20

const wholes = z.array(z.int().min(0)).max(mostPredictions)
const numbers = z.array(z.number()).max(mostPredictions)
const reaches = (column: readonly number[], most: number) => column.some((value) => value >= most)
const shared = {
  version: z.literal(1),
  /** Rows or images that were scored, of which the first ones are kept. */
  n: z.int().min(0),
}

/** What a classifier said of each image: column by column, a value an image. */
const imagePredictionsSchema = z
  .object({
    ...shared,
    kind: z.literal('images'),
    /** Names of the model's classes, which the other fields count from 0. */
    classes: z.array(z.string()).max(mostPredictions),
    /** What all images lie in, and the files within it, parted by slashes. */
    folder: path,
    files: z.array(path).max(mostPredictions),
    /** For each image its file, and its row there; left out where each file is an image. */
    packed: z.object({ file: wholes, row: wholes }).optional(),
    labels: wholes,
    predicted: wholes,
    /** How many classes were found likelier than the label: 0 is right, below 5 is among the five likeliest. */
    ranks: wholes,
    /** Natural logarithms of the probabilities of the label and of the predicted class. */
    logLikelihoods: z.object({ label: numbers, predicted: numbers }),
  })
  .superRefine((found, context) => {
    const { classes, files, packed, labels, predicted, ranks, logLikelihoods } = found
    const [ofLabel, ofPredicted] = [logLikelihoods.label, logLikelihoods.predicted]
    const columns = { predicted, ranks, ofLabel, ofPredicted, ...(packed ?? { files }) }
    const wrong = (name: string, message: string) => context.addIssue({ code: 'custom', path: [name], message })
    for (const [name, column] of Object.entries(columns))
      if (column.length !== labels.length) wrong(name, `has ${column.length} values for ${labels.length} images`)
    if (reaches(labels, classes.length)) wrong('labels', 'counts a class that there is none of')
    if (reaches(predicted, classes.length)) wrong('predicted', 'counts a class that there is none of')
    if (packed && reaches(packed.file, files.length)) wrong('packed', 'counts a file that there is none of')
  })
export type ImagePredictions = z.infer<typeof imagePredictionsSchema>

/** What a language model said of each row of a task: column by column, a value a row. */
const choicePredictionsSchema = z
  .object({
    ...shared,
    kind: z.literal('choices'),
    task: taskKey,
    /** Of the row in its file, from 0. */
    rows: wholes,
    /** The right choice, and the likeliest one, from 0; of a last word 1 where another is likelier. */
    gold: wholes,
    predicted: wholes,
    /** The likeliest choice for its length; left out where the task reports no acc_norm. */
    predictedNorm: wholes.optional(),
    /** Of each choice the natural logarithm of its probability. */
    logLikelihoods: z.array(z.array(z.number()).max(1000)).max(mostPredictions),
  })
  .superRefine((found, context) => {
    const { rows, gold, predicted, predictedNorm = rows, logLikelihoods } = found
    for (const [name, column] of Object.entries({ gold, predicted, predictedNorm, logLikelihoods }))
      if (column.length !== rows.length)
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `has ${column.length} values for ${rows.length} rows`,
        })
  })
export type ChoicePredictions = z.infer<typeof choicePredictionsSchema>

/** predictions/WHICH.TASK.json of a run folder. */
export const predictionsSchema = z.discriminatedUnion('kind', [imagePredictionsSchema, choicePredictionsSchema])
export type Predictions = z.infer<typeof predictionsSchema>

/** Which checkpoint of a run said something of images. */
export const scoredCheckpoint = z.enum(['dense', 'result'])
export type ScoredCheckpoint = z.infer<typeof scoredCheckpoint>

/** Images by what became of their answers from one checkpoint to another; `wrong` asks of the second alone. */
export const answerOutcome = z.enum(['all', 'wrong', 'changed', 'right-to-wrong', 'wrong-to-right', 'both-wrong'])
export type AnswerOutcome = z.infer<typeof answerOutcome>

/** Which images are wanted: names are those of classes. */
export const imageFilter = {
  outcome: answerOutcome.default('changed'),
  label: z.string().max(1000).optional(),
  /** What the first checkpoint took them for, and the second. */
  predictedBefore: z.string().max(1000).optional(),
  predicted: z.string().max(1000).optional(),
  offset: z.int().min(0).default(0),
}

const answer = z.object({
  predicted: z.string(),
  /** How many classes were found likelier than the label. */
  rank: z.int(),
  /** Probabilities of the predicted class and of the label. */
  probability: z.number(),
  ofLabel: z.number(),
})

/** Images that two checkpoints answered, or one of them alone. */
export const comparedImagesSchema = z.object({
  /** Images that both answered, and those that only one of them did. */
  n: z.int(),
  unmatched: z.object({ before: z.int(), after: z.int() }),
  /** Null where there is one checkpoint alone. */
  paired: pairedSchema.nullable(),
  /** Of classes that images have: how many, and how many of them changed. */
  classes: z.array(z.object({ name: z.string(), n: z.int(), rightToWrong: z.int(), wrongToRight: z.int() })),
  /** Images that the filter lets through, and a page of them in the order of the data. */
  total: z.int(),
  images: z.array(
    z.object({
      file: z.string(),
      /** Where it stands in a file of many. */
      row: z.int().nullable(),
      /** What it is called among the others. */
      name: z.string(),
      label: z.string(),
      before: answer.nullable(),
      after: answer,
    }),
  ),
})
export type ComparedImages = z.infer<typeof comparedImagesSchema>

/** A small image as a data address, or why there is none. */
export const fileThumbnailSchema = z.union([z.object({ dataUrl: z.string() }), z.object({ error: failureSchema })])
export type FileThumbnail = z.infer<typeof fileThumbnailSchema>
