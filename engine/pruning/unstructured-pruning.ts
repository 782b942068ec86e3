import type { Checkpoint } from '../models/checkpoint.ts'
import { fromFloat32, toFloat32 } from '../checkpoint/dtype.ts'
import type { StoredTensor } from '../models/model-config.ts'
import { type Projection, projections, projectionTensor } from '../models/projections.ts'
import type { JobContext, PruneJob } from '../contract/index.ts'
import { activationStatistics } from './activations.ts'
import { fullMasks } from './masks.ts'
import { UnstructuredZeros } from './unstructured.ts'
import { calibrationBatches } from '../data/calibration.ts'
import type { StepHooks, TrainingRun } from '../runs/training-run.ts'

/**
 * Pruning of single weights, for comparison: they are zero from the first step on, and an adapter that is trained over
 * them fills them again when it is merged.
 */
export class UnstructuredPruning {
  readonly #job: PruneJob
  readonly #checkpoint: Checkpoint
  readonly #run: TrainingRun
  readonly #context: JobContext
  #zeros: UnstructuredZeros | null = null
  readonly masks
  readonly compensation = null
  readonly hooks: StepHooks = {}

  constructor(job: PruneJob, checkpoint: Checkpoint, run: TrainingRun, context: JobContext) {
    this.#job = job
    this.#checkpoint = checkpoint
    this.#run = run
    this.#context = context
    this.masks = fullMasks(run.model.config, job.headGroups)
  }

  /** Sets weights to zero: the same ones again where the run is resumed, since all comes from seed and dense weights. */
  async start(): Promise<void> {
    const { model, tokenizer } = this.#run
    const statistics =
      this.#job.criterion === 'wanda-unstructured'
        ? activationStatistics(
            model,
            undefined,
            await calibrationBatches(this.#job, tokenizer, this.#context),
            undefined,
          )
        : null
    this.#zeros = new UnstructuredZeros(this.#job.ratio, statistics)
    this.#zeros.apply(
      model,
      (layer, projection) => {
        const stored = this.#checkpoint.read(projectionTensor(layer, projection))
        return { weight: toFloat32(stored), rows: stored.shape[0]!, columns: stored.shape[1]! }
      },
      this.#job.int8,
    )
  }

  /** The checkpoint's tensors with the zeros in them. */
  readonly read = (name: string): StoredTensor => {
    const stored = this.#checkpoint.read(name)
    const place = this.#places.get(name)
    if (!place || !this.#zeros) return stored
    const weight = this.#zeros.applied(place.layer, place.projection, toFloat32(stored), stored.shape[1]!)
    return { ...stored, bytes: fromFloat32(weight, stored.dtype) }
  }

  get #places(): Map<string, { layer: number; projection: Projection }> {
    return new Map(
      this.#checkpoint.config.layers.flatMap((_, layer) =>
        projections.map((projection) => [projectionTensor(layer, projection), { layer, projection }]),
      ),
    )
  }
}

/** Fraction of the weights of all projections that are not zero. */
export function densityOf({ config, read }: { config: Checkpoint['config']; read: (name: string) => StoredTensor }) {
  let [filled, all] = [0, 0]
  for (const layer of config.layers.keys())
    for (const projection of projections) {
      const weights = toFloat32(read(projectionTensor(layer, projection)))
      all += weights.length
      for (const weight of weights) if (weight !== 0) filled++
    }
  return filled / all
}
