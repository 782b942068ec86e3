import type { FrozenWeight, Weight } from '../tensor/frozen-weight.ts'

/*
 * Kernels that a back end may register beside those of TensorFlow.js. `engine/ops` asks for each by name; where the back end in
 * use has none, it computes the same with plain TensorFlow.js operations, so a back end may leave out any of them. Tensors are
 * float32 unless stated, and row-major; `n` stands for rows * length tokens. Results come in the order given.
 *
 * RmsNorm             x [n, size], weight [size] -> y [n, size], inverse [n, 1] = 1 / sqrt(mean(x^2) + epsilon)
 * RmsNormGrad         dy, x [n, size], weight [size], inverse [n, 1] -> dx [n, size]
 * LayerNorm           x [n, size], weight and bias [size] -> y [n, size], mean [n, 1], inverse [n, 1] = 1 / sqrt(variance(x) + epsilon)
 * LayerNormGrad       dy, x [n, size], weight [size], mean and inverse [n, 1] -> dx [n, size]
 * Rotary              x [rows, length, heads, headSize], cosine and sine [rows or 1, length, 1, headSize / 2] -> shaped as x
 * SwiGlu              gate, up -> silu(gate) * up, all of one shape
 * SwiGluGrad          dy, gate, up -> dGate, dUp
 * GeGlu, GeGluGrad    the same with GELU's tanh approximation in place of silu
 * Gelu                x -> x times the share of a standard normal distribution below x, shaped as x
 * GeluGrad            dy, x -> dx, all of one shape
 * Attention           q [rows, queries, heads, headSize], k and v [rows, keys, keyValueHeads, headSize],
 *                     bias [rows or 1, 1, queries, keys] -> context [rows * queries, heads * headSize] and, optionally,
 *                     logSumExp [rows, heads, queries] of the scores. The scale is in q already.
 * AttentionGrad       dy and context [rows * queries, heads * headSize], q, k, v, bias, logSumExp where Attention gave it
 *                     -> dq, dk, dv, shaped as q, k, v
 * CrossEntropy        logits [n, vocabulary], labels int32 [n] (-1: ignored), divisor scalar -> loss scalar and, optionally,
 *                     logSumExp [n]
 * CrossEntropyGrad    dy scalar, logits, labels, divisor, logSumExp where CrossEntropy gave it -> dLogits [n, vocabulary]
 * HeadLoss            x [n, hidden], norm [hidden], labels int32 [n], divisor scalar -> the CrossEntropy of the logits that
 *                     norm and weight [vocabulary, hidden] make of x, scalar, and its gradient dx [n, hidden]
 * DistilLoss          the same against a teacher too (see `distilLossOfLogits`): x, norm, labels, divisor, and the teacher's
 *                     teacher [n, its hidden size] and teacherNorm -> loss scalar, dx [n, hidden]
 * LabelLogLikelihoods logits [n, vocabulary], labels int32 [n] -> log softmax(logits)[label] [n]
 * Likeliest           logits [n, vocabulary of `leastRanked` or more] -> what `readLikeliest` reads, a row for each
 * FrozenLinear        x [..., in] -> x W^T [..., out] of a weight W [out, in], or x W where transposed
 * FrozenRows          indices int32 [...] -> rows of the weight [..., columns]
 * FrozenTile          -> rows start to start + rows of the weight [rows, columns]
 * LoraLinear          several projections of one x [n, in]: a<i> [rank, in], b<i> [out<i>, rank] and perhaps keep<i> [n, in]
 *                     (dropout's factor of the adapter's input) -> y<i> = x W<i>^T + scales<i> ((keep<i> x) a<i>^T) b<i>^T
 *                     [n, out<i>]
 * LoraLinearGrad      dy<i> [n, out<i>], x, a<i>, b<i>, keep<i> -> da0, db0, da1, db1, ... and, optionally, narrow: what
 *                     LoraLinearInputGrad would compute again
 * LoraLinearInputGrad dy<i>, a<i>, b<i>, keep<i>, narrow where LoraLinearGrad gave it -> dx [n, in], summed over projections
 * CacheRoom           cache [rows, places, heads, headSize] -> the same with places up to capacity, the new ones of any finite
 *                     numbers
 * CachePlace          cache [rows, places, heads, headSize], more [rows, 1, heads, headSize], place int32 [1] -> the cache with more at
 *                     that place, which may be the same memory
 * GroupImportance     a [rank, in], b [out, rank], gradientA, gradientB shaped as they, of a weight [out, in]
 *                     -> see `adapterImportance`: [out] or [in]
 * SumsOfSquares       x0, x1, ... of any shapes -> numbers that add up to the sum of the squares of all their elements
 * ScaleAll            x0, x1, ... of any shapes, scalar factor -> all of them times factor, which may be the same memory
 * AdamWUpdate         value<i>, first<i>, second<i>, gradient<i> of one shape each, scalars rate, correction, decay
 *                     -> first0, second0, value0, first1, ... after the step (see `adamSteps`), which may be the same memory
 *
 * Frozen weights are read through FrozenLinear, FrozenRows and FrozenTile alone. `engine/ops` has no composite for these, so
 * every back end registers them (`registerFrozenComposites` does so with plain operations).
 */

/** What each fused kernel reads besides tensors. */
export interface FusedAttributes {
  RmsNorm: { epsilon: number }
  RmsNormGrad: NoAttributes
  LayerNorm: { epsilon: number }
  LayerNormGrad: NoAttributes
  /** back: turn by the opposite angle, which is the gradient */
  Rotary: { back: boolean }
  SwiGlu: NoAttributes
  SwiGluGrad: NoAttributes
  GeGlu: NoAttributes
  GeGluGrad: NoAttributes
  Gelu: NoAttributes
  GeluGrad: NoAttributes
  Attention: { shape: AttentionShape }
  AttentionGrad: { shape: AttentionShape }
  CrossEntropy: NoAttributes
  CrossEntropyGrad: NoAttributes
  HeadLoss: { weight: FrozenWeight; epsilon: number }
  DistilLoss: DistilHeads
  LabelLogLikelihoods: NoAttributes
  Likeliest: { temperature: number }
  FrozenLinear: { weight: FrozenWeight; transposed: boolean }
  FrozenRows: { weight: FrozenWeight }
  FrozenTile: { weight: FrozenWeight; start: number; rows: number }
  LoraLinear: Projections
  LoraLinearGrad: Projections
  LoraLinearInputGrad: Projections
  CacheRoom: { capacity: number }
  CachePlace: NoAttributes
  GroupImportance: { weight: Weight; scale: number; power: 1 | 2; along: 'rows' | 'columns' }
  SumsOfSquares: NoAttributes
  ScaleAll: NoAttributes
  AdamWUpdate: { beta1: number; beta2: number; epsilon: number; items: number }
}

export type FusedKernel = keyof FusedAttributes

type NoAttributes = Record<string, never>

/** The heads of a student and of its teacher [vocabulary, hidden size], and how their losses are put together. */
export interface DistilHeads {
  weight: FrozenWeight
  epsilon: number
  teacherWeight: FrozenWeight
  teacherEpsilon: number
  /** Of the teacher's part: 0 is cross-entropy, 1 the teacher alone. */
  share: number
  temperature: number
}

export interface AttentionShape {
  rows: number
  /** Positions that ask, and positions that are looked at. */
  queries: number
  keys: number
  heads: number
  keyValueHeads: number
  headSize: number
  /** Whether `bias` forbids every key after its query, so that a kernel may leave those out. */
  causal: boolean
}

/** Linear layers that read one input: their frozen weights [out, in] and the scales of their adapters, one for each. */
export interface Projections {
  weights: FrozenWeight[]
  scales: number[]
}
