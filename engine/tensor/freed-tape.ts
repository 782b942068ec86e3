import { type Tensor, tf } from './tf.ts'

type Tape = ReturnType<typeof tf.engine>['state']['activeTape']

/**
 * A function for `tf.grads` or `tf.valueAndGrads` whose gradients take less memory. TensorFlow.js holds what the way there
 * saved and every gradient until the way back is over; here each of them goes once nothing reads it any more. The gradient of
 * the result that is given to `tf.grads` goes too.
 */
export function freedOnTheWayBack<Args extends Tensor[], Result>(f: (...args: Args) => Result): typeof f {
  return (...args) => {
    const y = f(...args)
    freeOnTheWayBack(tf.engine().state.activeTape)
    return y
  }
}

/** Makes the nodes of a tape let go of what only they and the nodes after them read. */
function freeOnTheWayBack(tape: Tape): void {
  /** What nothing reads any more once the next node is reached. */
  let finished: Tensor[] = []
  /** Tensors that go at a time of their own: a gradient that is one of them becomes another tensor of the same values. */
  const owned = new WeakSet<Tensor>()
  /** Tensors that have a gradient; what comes after it is added to it. */
  const reached = new Set<number>()
  const handOut = (computed: Tensor, { id }: Tensor): Tensor => {
    const dx = owned.has(computed) ? computed.clone() : computed
    owned.add(dx)
    if (reached.has(id)) finished.push(dx)
    reached.add(id)
    return dx
  }
  for (const node of tape) {
    const { gradient, saved = [], inputs } = node
    if (!gradient) continue
    node.gradient = (dys) => {
      tf.dispose(finished)
      // A result that the loss does not depend on has no gradient.
      finished = [...saved, ...(dys as (Tensor | null)[]).filter((dy) => dy !== null)]
      for (const tensor of finished) owned.add(tensor)
      const computations = Object.entries(gradient(dys))
      return Object.fromEntries(
        computations.map(([name, compute]) => [name, () => handOut(compute(), inputs[name]!)] as const),
      )
    }
  }
}
