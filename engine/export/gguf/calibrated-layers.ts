import { type Checkpoint, openCheckpoint } from '../../models/checkpoint.ts'
import type { LinearName } from '../../models/family.ts'
import type { ModelConfig } from '../../models/model-config.ts'
import { linearOf } from '../../models/tensors.ts'
import type { Calibration } from '../calibrate.ts'
import { isSymmetric } from '../quantise/compensated-blocks.ts'
import type { Known } from '../quantise/encode.ts'
import { type Feedback, feedbackOf } from '../quantise/feedback.ts'
import type { ExportTensor } from './plan.ts'
import type { KnownRows, LayerObserver } from './write.ts'

/** A calibration that goes along with the writing of a file: it reads back what stands there already. */
export class CalibratedLayers implements LayerObserver, Disposable {
  readonly #calibration: Calibration
  readonly #config: ModelConfig
  readonly #file: string
  #written: Checkpoint | null = null
  /** Tensors that read the same follow each other. */
  #last: { of: Float32Array; feedback: Feedback } | null = null

  /**
   * @param config of the checkpoint
   * @param file that is being written, its header first
   */
  constructor(calibration: Calibration, config: ModelConfig, file: string) {
    this.#calibration = calibration
    this.#config = config
    this.#file = file
  }

  async open(layer: number): Promise<void> {
    this.#last = null
    await this.#calibration.open(layer, this.#opened())
  }

  async close(layer: number): Promise<void> {
    await this.#calibration.close(layer, this.#opened())
  }

  /** In the order of the columns of the file. */
  knownOf(tensor: ExportTensor): readonly KnownRows[] {
    const { from, shape } = tensor
    const rows = shape[0]!
    if (!('tensor' in from) || from.tensor.spec.role.part !== 'weight') return [{ rows, known: null }]
    const { layer, linears } = from.tensor.spec.role
    const reads = linearOf(this.#config, layer, linears[0]!).reads
    if (!linears.includes('v')) return [{ rows, known: this.#known(tensor, reads) }]
    // Values are read through attention, and stand last where they are stored with queries and keys.
    const values = linearOf(this.#opened().config, layer, 'v').outputs
    const others = rows - values
    return [
      ...(others > 0 ? [{ rows: others, known: this.#known(tensor, reads) }] : []),
      { rows: values, known: this.#known(tensor, 'v') },
    ]
  }

  #known({ columns, type }: ExportTensor, reads: LinearName): Known | null {
    const inputs = this.#calibration.inputs(reads)
    if (!inputs) return null
    const { squares, products } = inputs
    const placed = columns ? Float32Array.from(columns, (place) => (place < 0 ? 0 : squares[place]!)) : squares
    if (!products || !isSymmetric(type)) return { squares: placed, feedback: null }
    if (this.#last?.of !== products) this.#last = { of: products, feedback: feedbackOf(products, columns) }
    return { squares: placed, feedback: this.#last.feedback }
  }

  [Symbol.dispose](): void {
    this.#written?.[Symbol.dispose]()
  }

  #opened(): Checkpoint {
    return (this.#written ??= openCheckpoint(this.#file))
  }
}
