import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { writeSafetensors } from '../../../engine/checkpoint/safetensors-writer.ts'
import { type Checkpoint, openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { writeJson } from '../../../engine/shared/files.ts'
import type { StoredTensor } from '../../../engine/tensor/stored-tensor.ts'
import { type FIXTURES, fixtureModel } from '../../fixtures/read.ts'
import { temporaryFolder } from './safetensors-bytes.ts'

export function* tensorsOf(checkpoint: Checkpoint): Generator<StoredTensor> {
  for (const name of checkpoint.tensors.keys()) yield checkpoint.read(name)
}

/** A copy of a fixture's folder, with the weights in memory to change at will. */
export function editable(context: TestContext, name: (typeof FIXTURES)[number] = 'llama_gqa') {
  const folder = join(temporaryFolder(context), 'model')
  cpSync(fixtureModel(name), folder, { recursive: true })
  using checkpoint = openCheckpoint(folder)
  const tensors = new Map([...tensorsOf(checkpoint)].map((tensor) => [tensor.name, tensor]))
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>
  const save = () => writeSafetensors(join(folder, 'model.safetensors'), [...tensors.values()])
  return {
    folder,
    tensors,
    save,
    configure: (fields: object) => writeJson(join(folder, 'config.json'), { ...config, ...fields }),
  }
}
