import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test, type TestContext } from 'node:test'
import { decoderGraph } from '../../../engine/export/onnx/decoder-graph.ts'
import { OnnxDecoder } from '../../../engine/export/onnx/session.ts'
import { writeOnnx } from '../../../engine/export/onnx/write.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import type { DecoderConfig } from '../../../engine/models/decoder-config.ts'
import type { WeightType } from '../../../engine/tensor/stored-tensor.ts'
import { FIXTURES, type FixtureName, fixtureModel, loadFixture } from '../../fixtures/read.ts'
import { temporaryFolder } from '../checkpoint/safetensors-bytes.ts'
import { assertWithin, forward, openFixture, startBackend } from '../models/shared.ts'

before(startBackend)

async function exported(context: TestContext, name: FixtureName, type: WeightType = 'float32'): Promise<OnnxDecoder> {
  const folder = temporaryFolder(context)
  using checkpoint = openCheckpoint(fixtureModel(name))
  const graph = decoderGraph(checkpoint.config as DecoderConfig, type)
  const control = { signal: new AbortController().signal, progress: () => {} }
  await writeOnnx(folder, graph, (tensor) => checkpoint.read(tensor), control)
  assert.ok(readFileSync(join(folder, 'model.onnx')).length > 0)
  const decoder = await OnnxDecoder.open(join(folder, 'model.onnx'), 1)
  context.after(() => decoder.close())
  return decoder
}

const ones = (rows: number, length: number) => Array.from({ length: rows }, () => Array.from({ length }, () => 1))
const counting = (rows: number, from: number, length: number) =>
  Array.from({ length: rows }, () => Array.from({ length }, (_, i) => from + i))

for (const name of FIXTURES) {
  test(`${name} as ONNX gives our logits, whole, in steps with a cache, and beside padding`, async (context) => {
    const decoder = await exported(context, name)
    const { ids } = loadFixture(name)
    const { model, batch } = openFixture(name)
    const expected = forward(model, batch)
    const [rows, length] = [ids.length, ids[0]!.length]
    const whole = await decoder.run(ids, ones(rows, length), counting(rows, 0, length))
    assertWithin(whole.logits, expected, 1e-4, 'logits')

    const vocabulary = expected.length / (rows * length)
    const at = (row: number, position: number) =>
      expected.subarray((row * length + position) * vocabulary, (row * length + position + 1) * vocabulary)
    const prompt = 5
    let answer = await decoder.run(
      ids.map((row) => row.slice(0, prompt)),
      ones(rows, prompt),
      counting(rows, 0, prompt),
    )
    for (let position = prompt; position < length; position++) {
      const next = ids.map((row) => [row[position]!])
      answer = await decoder.run(next, ones(rows, position + 1), counting(rows, position, 1), answer.cache)
      for (let row = 0; row < rows; row++)
        assertWithin(
          answer.logits.subarray(row * vocabulary, (row + 1) * vocabulary),
          at(row, position),
          1e-4,
          `step ${position}`,
        )
    }

    // The first row after four tokens of padding, the second whole.
    const padding = 4
    const padded = [[...Array.from({ length: padding }, () => 0), ...ids[0]!.slice(0, length - padding)], ids[1]!]
    const attended = padded.map((row, index) => row.map((_, i) => (index === 0 && i < padding ? 0 : 1)))
    const positions = padded.map((row, index) => row.map((_, i) => (index === 0 ? Math.max(0, i - padding) : i)))
    const beside = await decoder.run(padded, attended, positions)
    const size = length * vocabulary
    assertWithin(
      beside.logits.subarray(padding * vocabulary, size),
      expected.subarray(0, size - padding * vocabulary),
      1e-4,
      'padded',
    )
    assertWithin(beside.logits.subarray(size), expected.subarray(size), 1e-4, 'beside padding')
  })
}

test('weights in 16 bits are widened, and give what the rounded weights give', async (context) => {
  for (const [name, type] of [
    ['llama_bf16', 'bfloat16'],
    ['llama_f16', 'float16'],
  ] as const) {
    const decoder = await exported(context, name, type)
    const { ids } = loadFixture(name)
    const { model, batch } = openFixture(name)
    const [rows, length] = [ids.length, ids[0]!.length]
    const { logits } = await decoder.run(ids, ones(rows, length), counting(rows, 0, length))
    assertWithin(logits, forward(model, batch), 1e-4, name)
  }
})
