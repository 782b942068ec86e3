import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { chooseBackend } from '../../../engine/backends/choose.ts'
import { freedOnTheWayBack } from '../../../engine/tensor/freed-tape.ts'
import { type Tensor, tf } from '../../../engine/tensor/tf.ts'
import { differentiable } from '../../../engine/ops/fused.ts'

before(() => chooseBackend({ device: 'cpu' }))

const valuesOf = (tensors: Tensor[]) => tensors.map((tensor) => [...tensor.dataSync()])
const vector = (...values: number[]) => tf.tensor1d(values) as Tensor

/** Two results of one input. */
const twice = (x: Tensor): Tensor[] =>
  differentiable(
    { x },
    (save) => {
      save([x])
      return [tf.mul(x, 2), tf.square(x)]
    },
    ([first, second], [saved]) => ({ x: () => tf.add(tf.mul(first!, 2), tf.mul(tf.mul(second!, saved!), 2)) }),
  )
/** x + y, whose gradients are the very tensor that came in. */
const handedOn = (x: Tensor, y: Tensor): Tensor =>
  differentiable(
    { x, y },
    () => [tf.add(x, y)],
    ([dy]) => ({ x: () => dy!, y: () => dy! }),
  )[0]!
const sumHandedOn = (x: Tensor, y: Tensor) => tf.mul(handedOn(handedOn(x, y), handedOn(y, x)), y)
const lossOf = (x: Tensor, y: Tensor) => tf.sum(tf.mul(tf.square(x), y)) as never
/** x, whose gradient is a tensor that was saved. */
const savedAsGradient = (x: Tensor): Tensor =>
  differentiable(
    { x },
    (save) => {
      save([tf.onesLike(x)])
      return [tf.mul(x, 1)]
    },
    (_, [saved]) => ({ x: () => saved! }),
  )[0]!

const cases: Record<string, (x: Tensor, y: Tensor) => Tensor> = {
  'a chain': (x, y) => tf.mul(tf.exp(tf.mul(x, y)), tf.sigmoid(x)),
  'an argument that is read often': (x, y) => tf.add(tf.mul(x, x), tf.add(tf.mul(tf.tanh(x), y), x)),
  'a result that nothing reads': (x, y) => tf.mul(twice(x)[0]!, y),
  'all results of one operation': (x, y) => tf.mul(tf.add(twice(x)[0]!, twice(x)[1]!), y),
  'a gradient that was saved': (x, y) => tf.mul(handedOn(savedAsGradient(x), x), y),
  'a branch without the arguments': (x, y) => tf.add(tf.mul(x, y), tf.square(vector(1, 2, 3))),
}

for (const [name, f] of Object.entries(cases))
  test(`gradients are those of TensorFlow.js: ${name}`, () => {
    const [x, y, dy] = [vector(0.5, -1, 2), vector(3, 0.25, -0.5), vector(1, -2, 0.5)]
    const expected = tf.grads(f)([x, y], dy)
    const { numTensors } = tf.memory()
    const found = tf.grads(freedOnTheWayBack(f))([x, y], dy.clone())
    assert.deepEqual(valuesOf(found), valuesOf(expected))
    assert.deepEqual(valuesOf([x, y]), [
      [0.5, -1, 2],
      [3, 0.25, -0.5],
    ])
    tf.dispose(found)
    assert.equal(tf.memory().numTensors, numTensors, 'nothing stays')
  })

test('a gradient may be handed on as it is, which TensorFlow.js alone disposes of too early', () => {
  const [x, y] = [vector(0.5, -1, 2), vector(3, 0.25, -0.5)]
  const expected = tf.grads((a: Tensor, b: Tensor) => tf.mul(tf.add(tf.add(a, b), tf.add(b, a)), b))([x, y])
  const found = tf.grads(freedOnTheWayBack(sumHandedOn))([x, y])
  assert.deepEqual(valuesOf(found), valuesOf(expected))
})

test('the loss stays beside its gradients', () => {
  const [x, y] = [vector(1, 2), vector(3, 4)]
  const { value, grads } = tf.valueAndGrads(freedOnTheWayBack(lossOf))([x, y])
  assert.deepEqual(valuesOf([value as Tensor, ...grads]), [[19], [6, 16], [1, 4]])
})

test('a long chain never holds the gradients of all of it, nor what all of it saved', () => {
  const size = 1000
  const bytes: number[] = []
  /** exp, which tells how much is held when its gradient is asked for. */
  const watched = (x: Tensor): Tensor =>
    differentiable(
      { x },
      (save) => {
        const y = tf.exp(x)
        save([y])
        return [y]
      },
      ([dy], [y]) => ({
        x: () => {
          bytes.push(tf.memory().numBytes)
          return tf.mul(dy!, y!)
        },
      }),
    )[0]!
  const links = 20
  const chain = (x: Tensor) => Array.from({ length: links }).reduce<Tensor>((y) => watched(tf.mul(y, -0.5)), x)
  const x = tf.ones([size]) as Tensor
  const held = (f: typeof chain) => {
    const earlier = tf.memory().numBytes
    bytes.length = 0
    tf.dispose(tf.grads(f)([x], tf.ones([size])))
    return bytes.map((at) => Math.round((at - earlier) / (4 * size)))
  }
  const plain = held(chain)
  assert.ok(plain.at(-1)! > 1.5 * links, `TensorFlow.js alone holds ${plain.at(-1)} arrays at the end`)
  const freed = held(freedOnTheWayBack(chain))
  assert.ok(freed.at(-1)! < 8, `${freed.at(-1)} arrays at the end`)
  assert.ok(freed[0]! <= plain[0]!, 'no more than that at the beginning')
})
