import assert from 'node:assert/strict'
import { test } from 'node:test'
import { speedSchema } from '../../../engine/contract/index.ts'
import { measureSpeeds } from '../../../engine/jobs/speed.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { visionModel } from '../../fixtures/vision.ts'

test('a model of images is refused, with what measures it instead, also as what is laid beside', async () => {
  const [images, text] = [visionModel('vit_hf'), fixtureModel('llama_mha')]
  for (const models of [{ checkpoint: images }, { checkpoint: text, beside: images }]) {
    const settings = speedSchema.parse({ ...models, device: 'onnx', threads: 1 })
    await assert.rejects(measureSpeeds(settings, { signal: new AbortController().signal }), {
      kind: 'bad-file',
      field: 'model_type',
      message: /vit_hf.* is a model of images, which generates no text: .*secateur eval --images FOLDER/,
    })
  }
})
