import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modelName } from '../../../engine/shared/model-name.ts'

test('a model is called after its folder or file, a run that wrote it, or its repository', () => {
  const names = {
    '/models/Llama-3.2-1B/': 'Llama-3.2-1B',
    '/models/llama-Q8_0-00001-of-00003.gguf': 'llama-Q8_0',
    '/runs/half of it/output': 'half of it',
    'C:\\runs\\half\\output': 'half',
    '/hub/models--org--small--one/snapshots/0123': 'one',
    '/hub/models--gpt2/snapshots/0123': 'gpt2',
    '/snapshots/0123': '0123',
    output: 'output',
  }
  for (const [path, name] of Object.entries(names)) assert.equal(modelName(path), name)
})
