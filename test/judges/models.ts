import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { FIXTURES, type FixtureName, fixtureModel } from '../fixtures/read.ts'

/** Every fixture that other programs can know; layers of different sizes are Secateur's own. */
export const judged: readonly FixtureName[] = FIXTURES.filter((name) => name !== 'secateur_ragged')

const letters = [...' abcdefghijklmnopqrstuvwxyz']
const special = ['<pad>', '<s>', '</s>']

/** A byte-pair tokenizer of single letters: the smallest that all of the fixtures' vocabularies hold. */
const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: special.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'Isolated', invert: false },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
    special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
  },
  decoder: { type: 'Fuse' },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries([...special, ...letters].map((token, id) => [token, id])),
    merges: [],
  },
}
const tokenizerConfig = {
  tokenizer_class: 'PreTrainedTokenizerFast',
  bos_token: '<s>',
  eos_token: '</s>',
  pad_token: '<pad>',
  clean_up_tokenization_spaces: false,
}

/** A fixture as a user would have it: with a tokenizer. */
export function makeModel(name: FixtureName, folder: string): string {
  const model = join(folder, name)
  mkdirSync(model, { recursive: true })
  for (const file of ['config.json', 'model.safetensors'])
    copyFileSync(join(fixtureModel(name), file), join(model, file))
  addTokenizer(model)
  return model
}

export function addTokenizer(model: string): void {
  writeFileSync(join(model, 'tokenizer.json'), JSON.stringify(tokenizer))
  writeFileSync(join(model, 'tokenizer_config.json'), JSON.stringify(tokenizerConfig))
}

const rotary = z.object({ rope_theta: z.number() })
const newForm = z.looseObject({
  dtype: z.string(),
  rope_parameters: z.union([rotary, z.object({ full_attention: rotary, sliding_attention: rotary })]),
})

/**
 * A model whose config.json is as transformers 4 wrote it, which most published checkpoints have; null where the fixture's
 * is so already.
 */
export function withOldConfig(model: string, folder: string): string | null {
  const config = newForm.safeParse(JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')))
  if (!config.success) return null
  const { dtype, rope_parameters: rope, layer_types: _, ...rest } = config.data
  const bases =
    'full_attention' in rope
      ? // Every second layer of the fixture looks at everything.
        {
          rope_theta: rope.full_attention.rope_theta,
          rope_local_base_freq: rope.sliding_attention.rope_theta,
          sliding_window_pattern: 2,
        }
      : { rope_theta: rope.rope_theta }
  cpSync(model, folder, { recursive: true })
  const old = { ...rest, ...bases, rope_scaling: null, torch_dtype: dtype, transformers_version: '4.57.0' }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(old))
  return folder
}

/** The sample's held-out text in letters that the tokenizer knows. */
export function makeText(folder: string): string {
  const sample = readFileSync(join(import.meta.dirname, '../../resources/sample/heldout.txt'), 'utf8')
  const file = join(folder, 'text.txt')
  const plain = sample.toLowerCase().replaceAll(/[^a-z]+/g, ' ')
  writeFileSync(file, plain.slice(0, 4000).trim())
  return file
}
