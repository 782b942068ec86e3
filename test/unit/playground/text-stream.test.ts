import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TextStream } from '../../../engine/playground/text-stream.ts'
import { logProbabilities } from '../../../engine/playground/log-probabilities.ts'

/** A tokenizer of bytes: every id is one. */
const decode = (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids))

function streamed(text: string, stops: string[] = [], before = 'Say: ') {
  const pieces: string[] = []
  const stream = new TextStream([...Buffer.from(before)], { decode, stops }, (piece) => pieces.push(piece.text))
  for (const byte of Buffer.from(text)) {
    if (stream.stopped) break
    stream.token(byte, {})
  }
  stream.end()
  return { pieces, text: pieces.join(''), stopped: stream.stopped }
}

test('a piece comes for each token, and a character of several tokens as a whole', () => {
  assert.deepEqual(streamed('ab').pieces, ['a', 'b'])
  assert.deepEqual(streamed('aé€').pieces, ['a', '', 'é', '', '', '€'])
  const long = 'Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. '.repeat(3)
  assert.equal(streamed(long).text, long)
})

test('an answer that ends within a character tells what there is of it', () => {
  const bytes = [...Buffer.from('a€')].slice(0, -1)
  const pieces: string[] = []
  const stream = new TextStream([], { decode, stops: [] }, ({ text }) => pieces.push(text))
  for (const byte of bytes) stream.token(byte, {})
  stream.end()
  assert.equal(pieces.join(''), decode(bytes))
})

test('an answer ends before a stop text, of which no beginning is told', () => {
  assert.deepEqual(streamed('one\nQ: two', ['\nQ:']), { pieces: ['o', 'n', 'e'], text: 'one', stopped: true })
  assert.equal(streamed('END', ['END']).text, '')
  assert.equal(streamed('abc', ['c', 'b']).text, 'a')
  // What was held back for nothing comes after all.
  assert.equal(streamed('one\nQuite', ['\nQ:']).text, 'one\nQuite')
  assert.equal(streamed('one\nQ', ['\nQ:']).text, 'one\nQ')
})

test('what another token would add is told without its being taken', () => {
  const stream = new TextStream([...Buffer.from('x')], { decode, stops: [] }, () => {})
  stream.token(97, {})
  assert.equal(stream.preview(98), 'b')
  assert.equal(stream.preview(99), 'c')
})

test('log-probabilities are those of the softmax, the likeliest first', () => {
  const scores = Float32Array.from([0.2, 0.4, 0.1, 0.3], (share) => Math.log(share) + 50)
  const { logProbability, likeliest } = logProbabilities(scores, 2, 3)
  assert.ok(Math.abs(logProbability - Math.log(0.1)) < 1e-5)
  assert.deepEqual(
    likeliest.map(({ id }) => id),
    [1, 3, 0],
  )
  assert.ok(Math.abs(likeliest[0]!.logProbability - Math.log(0.4)) < 1e-5)
  assert.deepEqual(logProbabilities(scores, 2, 0).likeliest, [])
})
