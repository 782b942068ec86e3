import type { FinetuneJob, JobContext, PruneJob } from '../contract/index.ts'
import type { ImageBatch } from '../data/batches.ts'
import { calibrationImages } from '../data/images/calibration.ts'
import { heldOutCount } from '../data/held-out.ts'
import { duplicatesAcross } from '../data/images/duplicates.ts'
import { imageBatches } from '../data/images/image-batches.ts'
import { imageCounts } from '../data/images/image-counts.ts'
import { type ImageSet, openImageSet } from '../data/images/image-set.ts'
import { type ImageStore, openImageStore, partOf } from '../data/images/image-store.ts'
import { prefetchedBatches } from '../data/images/prefetch.ts'
import { readPreprocessing } from '../data/images/preprocessing.ts'
import { checkClassifier } from '../evaluation/check-images.ts'
import { matchClasses, type TrainedClasses, trainedClasses } from '../evaluation/match-classes.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { EncoderConfig } from '../models/encoder-config.ts'
import { badFile, badSetting } from '../shared/errors.ts'
import { Random } from '../shared/random.ts'
import { StageProgress } from './stage-progress.ts'
import type { RunData } from './training-data.ts'

/**
 * Reads the training images of a job, those that it is measured on, and those that criteria look at.
 *
 * @throws SecateurError of an image or list that cannot be read, and of classes that do not go together
 */
export async function readImageData(
  job: FinetuneJob | PruneJob,
  checkpoint: Checkpoint,
  { emit, signal }: Pick<JobContext, 'emit' | 'signal'>,
): Promise<RunData> {
  const config = checkpoint.config as EncoderConfig
  const { imageSize, maxPositions: length } = config
  const preprocessing = readPreprocessing(checkpoint.folder, config)
  using opened = new DisposableStack()
  const reading = new StageProgress('reading data', emit)
  const onProgress = (done: number, total: number) => reading.report(done, total)
  const open = async (set: ImageSet, prefix = ''): Promise<ImageStore> => {
    const store = opened.use(
      await openImageStore(set, preprocessing, imageSize, {
        badRows: job.badRows,
        skippedBy: '--bad-rows skip',
        signal,
        onProgress,
      }),
    )
    tellStore(set, store, job.maxLostRows, prefix, emit)
    return store
  }
  const found = await openImageSet(job.data[0]!, 'train', signal)
  const classes = trainedClasses(found, config.labels)
  if (classes.newFor !== null)
    emit({
      type: 'warning',
      message: `A new classifier of ${classes.labels.length} classes is trained: ${classes.newFor}.`,
    })
  const set = drawnFrom(relabelled(found, classes), job.maxDocuments, job.seed)
  const store = await open(set)
  const rows = imageCounts(set.images.length, store.broken.length, length)
  emit({ type: 'data', rows })
  const options = { ...config, length, preprocessing, rows: job.batchSize, seed: job.seed }
  const { validation } = job
  const held = typeof validation === 'number' ? heldOut(store, validation, job.seed) : null
  const training = held?.training ?? store
  const apart = typeof validation === 'string' ? await open(await others(validation), 'validation: ') : null
  const measured = held?.measured ?? apart
  const warnOfSame = (test: ImageStore | null) => {
    const message = test && duplicatesAcross(training, test)
    if (message !== null) emit({ type: 'warning', message })
  }
  warnOfSame(measured)
  const { images: scored, badImages: badRows = 'refuse' } = (job.kind === 'prune' && job.evaluation) || {}
  if (scored !== undefined) {
    // Decoded now, so that a broken one is found before the training, and scoring finds them.
    using test = await openImageStore(await others(scored), preprocessing, imageSize, {
      badRows,
      skippedBy: '--bad-images skip',
      signal,
      onProgress,
    })
    warnOfSame(test)
  }
  const batches = opened.use(prefetchedBatches(training.stored, { ...options, augmentation: job.augmentation }))
  const owned = opened.move()
  return {
    batches,
    rows,
    validation: measured && {
      batches: imageBatches(measured, { ...options, augmentation: 'none', once: true }),
      file: typeof validation === 'string' ? validation : null,
      rows: measured.labels.length,
      targets: measured.labels.length,
    },
    text: null,
    classes,
    async calibration() {
      if (job.kind !== 'prune') return []
      const { calibrationData, calibrationShares, calibrationSamples } = job
      using apartFrom = new DisposableStack()
      const stores: ImageStore[] = []
      for (const path of calibrationData)
        stores.push(
          apartFrom.use(
            await openImageStore(await others(path, 'train'), preprocessing, imageSize, {
              badRows: job.badRows,
              skippedBy: '--bad-rows skip',
              signal,
            }),
          ),
        )
      return calibrationImages(stores.length > 0 ? stores : [training], calibrationShares, calibrationSamples, options)
    },
    [Symbol.dispose]: () => owned.dispose(),
  }

  /** Images from elsewhere, which must be of the classes that are trained. */
  async function others(path: string, split: 'train' | 'test' = 'test'): Promise<ImageSet> {
    const other = await openImageSet(path, split, signal)
    return relabelled(other, { ...classes, classOf: matchClasses(other.classes, classes.labels, other.path) })
  }
}

/**
 * Training images that a checkpoint is looked at with, drawn by the seed.
 *
 * @throws SecateurError where the checkpoint does not know their classes
 */
export async function measuredImages(
  job: Pick<PruneJob, 'data' | 'field' | 'maxDocuments' | 'calibrationSamples' | 'batchSize' | 'seed'>,
  { folder, config }: Checkpoint,
  { emit, signal }: Pick<JobContext, 'emit' | 'signal'>,
): Promise<ImageBatch[]> {
  const encoder = config as EncoderConfig
  const { imageSize, maxPositions: length } = encoder
  checkClassifier({ folder, config })
  if (job.field !== undefined) throw badSetting('field', `${folder} is a model of images, which reads no text`)
  const preprocessing = readPreprocessing(folder, encoder)
  const found = await openImageSet(job.data[0]!, 'train', signal)
  const classOf = matchClasses(found.classes, encoder.labels, found.path)
  const set = drawnFrom(relabelled(found, { labels: encoder.labels, classOf }), job.maxDocuments, job.seed)
  const reading = new StageProgress('reading data', emit)
  using store = await openImageStore(set, preprocessing, imageSize, {
    badRows: 'refuse',
    signal,
    onProgress: (done, total) => reading.report(done, total),
  })
  const options = { ...encoder, length, preprocessing, rows: job.batchSize, seed: job.seed }
  return calibrationImages([store], [], job.calibrationSamples, options)
}

/** The same images with the numbers that the model has for their classes. */
const relabelled = (set: ImageSet, { labels, classOf }: Pick<TrainedClasses, 'labels' | 'classOf'>): ImageSet => ({
  path: set.path,
  classes: labels,
  images: set.images.map((image) => ({ ...image, label: classOf[image.label]! })),
})

/** So many images at most, drawn by the seed, so that every class keeps about its share. */
function drawnFrom(set: ImageSet, most: number | undefined, seed: number): ImageSet {
  if (most === undefined || most >= set.images.length) return set
  // The word "pictures" stays: a seed's draws follow from it.
  const drawn = new Random(seed).fork('pictures').permutation(set.images.length).subarray(0, most).toSorted()
  return { ...set, images: Array.from(drawn, (image) => set.images[image]!) }
}

/** Takes images out of the training, drawn by the seed. */
function heldOut(store: ImageStore, share: number, seed: number) {
  const count = store.labels.length
  const drawn = new Random(seed).fork('validation').permutation(count)
  const held = heldOutCount(count, share)
  return {
    measured: partOf(store, drawn.subarray(0, held).toSorted()),
    training: partOf(store, drawn.subarray(held).toSorted()),
  }
}

function tellStore(
  { path, images }: ImageSet,
  { broken, notes }: ImageStore,
  most: number,
  prefix: string,
  emit: JobContext['emit'],
): void {
  for (const message of broken) emit({ type: 'warning', message: `${prefix}left out: ${message}` })
  for (const message of notes) emit({ type: 'warning', message: `${prefix}${message}` })
  if (broken.length <= most * images.length) return
  throw badFile(
    path,
    undefined,
    `${broken.length} of ${images.length} images cannot be read, which is more than --max-lost-rows ${most} allows: ${broken[0]}`,
  )
}
