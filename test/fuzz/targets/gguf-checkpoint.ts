import { join } from 'node:path'
import { openCheckpoint } from '../../../engine/models/checkpoint.ts'
import { tensorsOf } from '../../../engine/models/tensors.ts'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { type FixtureName, fixtureModel } from '../../fixtures/read.ts'
import { ggufBytes, type Key } from '../../unit/checkpoint/gguf/bytes.ts'
import { ggufParts } from '../../unit/models/gguf-file.ts'
import type { Target } from '../target.ts'

const tokens = ['<unk>', '<s>', '</s>', '\u2581', 'a', '\u2581a']
const sentencePiece: Key[] = [
  ['tokenizer.ggml.model', 'string', 'llama'],
  ['tokenizer.ggml.tokens', ['string'], tokens],
  ['tokenizer.ggml.token_type', ['int32'], [2, 3, 3, 1, 1, 1]],
  ['tokenizer.ggml.scores', ['float32'], [0, 0, 0, -1, -2, -0.5]],
]
const bytePair: Key[] = [
  ['tokenizer.ggml.model', 'string', 'gpt2'],
  ['tokenizer.ggml.pre', 'string', 'llama-bpe'],
  ['tokenizer.ggml.tokens', ['string'], ['a', 'b', 'ab', '<s>']],
  ['tokenizer.ggml.token_type', ['int32'], [1, 1, 1, 3]],
  ['tokenizer.ggml.merges', ['string'], ['a b']],
]
const seeds: [FixtureName, Key[]][] = [
  ['llama_gqa', sentencePiece],
  ['llama3_rope', bytePair],
  ['gemma3_text', sentencePiece],
]

/** Config, weights and tokenizer that a GGUF file's keys and tensors describe. */
export const ggufCheckpoint: Target = {
  name: 'gguf-checkpoint',
  seeds: () =>
    seeds.map(([name, tokenizer]) => {
      using checkpoint = openCheckpoint(fixtureModel(name))
      const { keys, tensors } = ggufParts(checkpoint)
      return { 'a.gguf': ggufBytes({ keys: [...keys, ...tokenizer], tensors }) }
    }),
  async read(folder) {
    const file = join(folder, 'a.gguf')
    using checkpoint = openCheckpoint(file)
    for (const { name } of tensorsOf(checkpoint.config)) checkpoint.read(name)
    ;(await loadTokenizer(file)).encode('a ab')
  },
}
