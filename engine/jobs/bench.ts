import { chooseBackend } from '../backends/choose.ts'
import {
  type CopySpeeds,
  currentCard,
  measureCopies,
  measureProducts,
  type ProductSpeed,
} from '../backends/webgpu/measure.ts'
import { measureModel, type ModelSpeed } from '../bench/model-work.ts'
import { RandomWeights } from '../bench/random-model.ts'
import type { BenchSettings } from './settings.ts'

export interface BenchResult {
  type: 'bench'
  backend: string
  device: string
  scale: number
  /** Of a graphics card alone. */
  products: ProductSpeed[]
  copies: CopySpeeds | null
  models: ModelSpeed[]
}

/** Speed of products, copies and whole steps of work on this computer. */
export async function bench(
  settings: BenchSettings,
  signal: AbortSignal,
  note: (text: string) => void,
): Promise<BenchResult> {
  const { name, device } = await chooseBackend(settings)
  note(`measuring ${name} on ${device}`)
  const card = currentCard()
  const { scale, repeats } = settings
  const size = (full: number) => 8 * Math.max(1, Math.round(full / scale / 8))
  const weights = [false, true].flatMap((int8) =>
    [
      [4096, 4096],
      [11008, 4096],
      [4096, 11008],
    ].map(([rows, columns]) => new RandomWeights(int8).matrix(size(rows!), size(columns!))),
  )
  const products = card ? measureProducts(card, size(2048), weights, repeats) : []
  const copies = card ? measureCopies(card, 4 * size(2 ** 26), repeats) : null
  const models: ModelSpeed[] = []
  for (const shape of settings.shapes) {
    note(`measuring the ${shape} shape`)
    models.push(
      await measureModel(shape, { ...settings, rows: settings.batchSize, length: settings.sequenceLength, signal }),
    )
  }
  return { type: 'bench', backend: name, device, scale, products, copies, models }
}
