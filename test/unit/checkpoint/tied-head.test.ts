import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { convert, toFloat32 } from '../../../engine/checkpoint/dtype.ts'
import { SafetensorsFile } from '../../../engine/checkpoint/safetensors.ts'
import { writeSafetensors } from '../../../engine/checkpoint/safetensors-writer.ts'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { checkSameHead, headDiffers } from '../../../engine/models/tied-head.ts'
import { writeCheckpoint } from '../../../engine/models/write-checkpoint.ts'
import type { StoredTensor } from '../../../engine/tensor/stored-tensor.ts'
import { editable, tensorsOf } from './editable.ts'
import { temporaryFolder } from './safetensors-bytes.ts'

const [embeddingName, headName] = ['model.embed_tokens.weight', 'lm_head.weight'] as const

test('a stored head that is not the embedding is used and written, whatever the config says, and this is said', async (context) => {
  const { folder, tensors, configure } = editable(context)
  configure({ tie_word_embeddings: true })
  using checkpoint = openCheckpoint(folder)
  assert.equal(checkpoint.config.tiedEmbeddings, false)
  assert.deepEqual(checkpoint.read(headName), tensors.get(headName))
  assert.deepEqual(checkpoint.read(embeddingName), tensors.get(embeddingName))
  assert.equal(checkpoint.warnings.length, 1)
  assert.match(
    checkpoint.warnings[0]!,
    /config\.json sets tie_word_embeddings to true, but lm_head\.weight differs from model\.embed_tokens\.weight: both/,
  )
  const out = join(folder, 'out')
  await writeCheckpoint(out, { config: checkpoint.config, dtype: 'float32', tensors: tensorsOf(checkpoint) })
  using written = openCheckpoint(out)
  assert.equal(written.config.source['tie_word_embeddings'], false)
  assert.deepEqual(written.read(headName), tensors.get(headName))
  assert.deepEqual(written.warnings, [])
})

test('a stored head that is the embedding, of the same type or another, is left out', (context) => {
  const { folder, tensors, configure, save } = editable(context, 'llama_bf16')
  configure({ tie_word_embeddings: true })
  for (const dtype of ['bfloat16', 'float32'] as const) {
    tensors.set(headName, { ...convert(tensors.get(embeddingName)!, dtype), name: headName })
    save()
    using checkpoint = openCheckpoint(folder)
    assert.equal(checkpoint.config.tiedEmbeddings, true)
    assert.deepEqual([checkpoint.ignored, checkpoint.warnings], [[headName], []])
    checkpoint.read(embeddingName)
  }
})

test('a head of another shape than the embedding is refused', (context) => {
  const { folder, tensors, configure, save } = editable(context)
  configure({ tie_word_embeddings: true })
  const head = tensors.get(headName)!
  const [rows, width] = head.shape as [number, number]
  tensors.set(headName, { ...head, shape: [rows - 1, width], bytes: head.bytes.slice(0, 4 * (rows - 1) * width) })
  save()
  assert.throws(() => openCheckpoint(folder), /lm_head\.weight: has shape .* must be/)
})

test('one row of a large head that differs is found when the weights are read, if not at once', (context) => {
  const shape = [70_000, 64]
  const values = Float32Array.from({ length: shape[0]! * shape[1]! }, (_, index) => index % 1013)
  const table = (name: string, change?: number): StoredTensor => {
    const own = values.slice()
    if (change !== undefined) own[change] = -1
    return { name, dtype: 'float32', shape, bytes: new Uint8Array(own.buffer) }
  }
  const open = (change?: number) => {
    const path = join(temporaryFolder(context), 'large.safetensors')
    writeSafetensors(path, [table(embeddingName), table(headName, change)])
    const file = new SafetensorsFile(path)
    context.after(() => file.close())
    const bytes = 4 * values.length
    const placed = (name: string) => ({ entry: { ...file.tensors.get(name)!, bytes }, file })
    return { embedding: placed(embeddingName), head: placed(headName) }
  }
  const [same, lastRow, anyRow] = [open(), open(values.length - 1), open(64 * 40_001 + 3)]
  assert.deepEqual([headDiffers(same), headDiffers(lastRow), headDiffers(anyRow)], [false, true, false])
  checkSameHead(same, 'config.json')
  assert.throws(
    () => checkSameHead(anyRow, 'config.json'),
    /lm_head\.weight: differs from model\.embed_tokens\.weight.*config\.json sets tie_word_embeddings to true/,
  )
})

test('a zero of the other sign is no other head', (context) => {
  const { folder, tensors, configure, save } = editable(context)
  configure({ tie_word_embeddings: true })
  const embedding = tensors.get(embeddingName)!
  const signed = (zero: number) => {
    const values = toFloat32(embedding).slice()
    values[5] = zero
    return new Uint8Array(values.buffer)
  }
  tensors.set(embeddingName, { ...embedding, bytes: signed(0) })
  tensors.set(headName, { ...embedding, name: headName, bytes: signed(-0) })
  save()
  using checkpoint = openCheckpoint(folder)
  assert.equal(checkpoint.config.tiedEmbeddings, true)
})
