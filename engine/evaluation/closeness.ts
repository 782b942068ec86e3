import { setImmediate } from 'node:timers/promises'
import { handyRows } from '../backends/extras.ts'
import type { Closeness } from '../contract/index.ts'
import { type Adapter, lowRankOf } from '../lora/adapter.ts'
import type { Model } from '../models/family.ts'
import { embedIds, forward, logits } from '../models/forward.ts'
import { type Tensor, tf } from '../tensor/tf.ts'
import { mean, standardError } from './statistics.ts'

/** What is compared token by token: so many tokens of each text at most. */
export const comparedTokens = 16_384

/** Windows of one length that two models read. */
export interface ComparedWindows {
  ids: readonly number[][]
  /** Windows read at once. */
  rows: number
}

interface Work {
  signal: AbortSignal
  onProgress: (done: number, total: number) => void
}

/** The last block's output of every window [window, hidden], one after another, in the memory of the computer. */
export async function readWindows(
  model: Model,
  adapter: Adapter | undefined,
  { ids, rows }: ComparedWindows,
  { signal, onProgress }: Work,
): Promise<Float32Array[]> {
  const outputs: Float32Array[] = []
  for (let start = 0; start < ids.length; start += rows) {
    const part = ids.slice(start, start + rows)
    outputs.push(...(await outputsOf(model, adapter, part)))
    onProgress(outputs.length, ids.length)
    await setImmediate()
    signal.throwIfAborted()
  }
  return outputs
}

/**
 * How close a model stays to the dense one on windows that it has read: mean KL(dense || model) a token, and how often both
 * find the same token likeliest. Every position counts whose next token lies in its window, as for perplexity.
 *
 * @param outputs what `readWindows` gave of the model
 * @param head a model without blocks, whose head reads them
 */
export async function compareWindows(
  dense: Model,
  head: Model,
  outputs: readonly Float32Array[],
  { ids, rows }: ComparedWindows,
  { signal, onProgress }: Work,
): Promise<Closeness> {
  const divergences: number[] = []
  let [agreeing, tokens] = [0, 0]
  for (let start = 0; start < ids.length; start += rows) {
    const part = ids.slice(start, start + rows)
    for (const [row, output] of (await outputsOf(dense, undefined, part)).entries()) {
      const counted = part[row]!.length - 1
      const [divergence, same] = compareRows(dense, output, head, outputs[start + row]!, counted)
      divergences.push(divergence / counted)
      agreeing += same
      tokens += counted
    }
    onProgress(divergences.length, ids.length)
    await setImmediate()
    signal.throwIfAborted()
  }
  return {
    divergence: mean(divergences),
    stderr: standardError(divergences),
    agreement: agreeing / tokens,
    tokens,
    windows: ids.length,
  }
}

/** Logits of some rows from the memory of the computer: pieces of the same size are the same graph. */
function logitsOf(model: Model, values: Float32Array, first: number, count: number): Tensor {
  const { hiddenSize } = model.config
  const rows = values.subarray(first * hiddenSize, (first + count) * hiddenSize)
  return logits(tf.tensor2d(rows, [count, hiddenSize]) as Tensor, model)
}

/** Sums over the first `counted` positions of a window: of the divergence, and of how often the likeliest token is the same. */
function compareRows(
  dense: Model,
  expected: Float32Array,
  head: Model,
  found: Float32Array,
  counted: number,
): [divergence: number, same: number] {
  const most = handyRows(head.config.vocabularySize)
  let [divergence, same] = [0, 0]
  for (let first = 0; first < counted; first += most) {
    const count = Math.min(most, counted - first)
    const [ofRows, equal] = tf.tidy(() => {
      const mine = logitsOf(head, found, first, count)
      const theirs = logitsOf(dense, expected, first, count)
      const [logP, logQ] = [tf.logSoftmax(mine), tf.logSoftmax(theirs)]
      const likeliest = tf.equal(tf.argMax(mine, 1), tf.argMax(theirs, 1))
      return [tf.sum(tf.mul(tf.exp(logQ), tf.sub(logQ, logP)), 1), tf.sum(tf.cast(likeliest, 'int32'))] as const
    })
    for (const value of ofRows.dataSync()) divergence += value
    same += equal.dataSync()[0]!
    tf.dispose([ofRows, equal])
  }
  return [divergence, same]
}

/** The last block's output [window, hidden] of each window, in the memory of the computer. */
async function outputsOf(
  model: Model,
  adapter: Adapter | undefined,
  windows: readonly number[][],
): Promise<Float32Array[]> {
  using pass = model.family.makePass(model.config, windows.length, windows[0]!.length)
  const output = forward(model, embedIds(model, windows.flat()), pass, {
    extras: (layer) => ({ lowRank: adapter && lowRankOf(adapter, layer) }),
  })
  const values = (await output.data()) as Float32Array
  output.dispose()
  const size = values.length / windows.length
  return windows.map((_, row) => values.slice(row * size, (row + 1) * size))
}
