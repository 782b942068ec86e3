import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { byteCharacters } from '../../unit/tokenizer/tokenizer-folder.ts'
import type { Input, Target } from '../target.ts'

const json = (value: unknown) => Buffer.from(JSON.stringify(value))

/** Byte-level byte-pair encoding with a few merges, as GPT-2, Llama 3 and Qwen have it. */
const vocabulary = [...byteCharacters, 'th', 'the', 'Ġa', '<s>', '</s>', '<|im_start|>', '<|im_end|>']
const special = (content: string) => ({ id: vocabulary.indexOf(content), content, special: true })
const bytePair = {
  version: '1.0',
  added_tokens: ['<s>', '</s>', '<|im_start|>', '<|im_end|>'].map(special),
  normalizer: { type: 'NFC' },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      {
        type: 'Split',
        pattern: { Regex: '\\p{L}+|\\p{N}{1,3}|\\s+|[^\\s\\p{L}\\p{N}]+' },
        behavior: 'Isolated',
        invert: false,
      },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '<s>': { id: '<s>', ids: [vocabulary.indexOf('<s>')], tokens: ['<s>'] } },
  },
  decoder: { type: 'ByteLevel' },
  model: {
    type: 'BPE',
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    merges: [
      ['t', 'h'],
      ['th', 'e'],
      ['Ġ', 'a'],
    ],
  },
}

/** Metaspace and byte fallback, as Llama 2 and Mistral have it. */
const pieces = [
  '<unk>',
  '<s>',
  '</s>',
  ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  '▁',
  'a',
  't',
  'h',
  '▁a',
  'th',
]
const metaspace = {
  added_tokens: ['<unk>', '<s>', '</s>'].map((content) => ({ id: pieces.indexOf(content), content, special: true })),
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: null,
  post_processor: null,
  decoder: {
    type: 'Sequence',
    decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }],
  },
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    byte_fallback: true,
    fuse_unk: true,
    vocab: Object.fromEntries(pieces.map((token, id) => [token, id])),
    merges: ['▁ a', 't h'],
  },
}

const settings = {
  bos_token: '<s>',
  eos_token: { content: '</s>', lstrip: false },
  add_bos_token: true,
  clean_up_tokenization_spaces: false,
  added_tokens_decoder: { '1': { content: '<s>', special: true } },
  chat_template: [
    {
      name: 'default',
      template: '{% for message in messages %}{{ message.role }}: {{ message.content | trim }}\n{% endfor %}',
    },
  ],
}

const conversation = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Does it rain?' },
  { role: 'assistant', content: 'It does.' },
]

async function use(folder: string): Promise<void> {
  const tokenizer = await loadTokenizer(folder)
  const ids = tokenizer.encode('the  rain, ä 12345\n\0 <s>\ud800')
  tokenizer.decode(ids)
  for (const id of ids) tokenizer.token(id)
  tokenizer.chat(conversation, { addGenerationPrompt: true })
}

export const tokenizerJson: Target = {
  name: 'tokenizer.json',
  seeds: () => [{ 'tokenizer.json': json(bytePair) }, { 'tokenizer.json': json(metaspace) }],
  read: use,
}

const chatMl = `{%- for message in messages %}
{%- if loop.first and message['role'] != 'system' %}{{ '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{%- endif %}
{{- '<|im_start|>' + message.role + '\\n' + message.content.strip() + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}`
const withNamespace = `{{ bos_token }}{% set ns = namespace(found=false, n=0) %}{% macro turn(m, i) %}[{{ i }}] {{ m.role | upper }}{% endmacro %}
{% for m in messages[::-1] %}{% set ns.n = ns.n + 1 %}{{ turn(m, loop.index0) }}{% if m.content is defined and 'rain' in m.content %}{% set ns.found = true %}{% endif %}{% endfor %}
{{ messages | map(attribute='content') | join(', ') }}{{ '%s of %d' % ('x', ns.n) }}{{ messages | tojson }}{{ range(3) | list }}`

export const chatTemplates: Target = {
  name: 'chat-templates',
  fixed: ['tokenizer.json'],
  seeds: (): Input[] => [
    { 'tokenizer.json': json(bytePair), 'chat_template.jinja': Buffer.from(chatMl) },
    { 'tokenizer.json': json(bytePair), 'chat_template.jinja': Buffer.from(withNamespace) },
    {
      'tokenizer.json': json(bytePair),
      'tokenizer_config.json': json(settings),
      'special_tokens_map.json': json({ pad_token: '</s>' }),
      'added_tokens.json': json({ '<extra>': 400 }),
    },
  ],
  read: use,
}

/** A field of a protocol buffer: a number, or bytes. */
function field(number: number, value: number | Buffer | string): Buffer {
  if (typeof value === 'number') return Buffer.from([number << 3, value])
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}
const piece = (text: string, type: number) => {
  const score = Buffer.from([0x15, 0, 0, 0, 0])
  return field(1, Buffer.concat([field(1, text), score, field(3, type)]))
}
/** A SentencePiece model of byte-pair encoding. */
const sentencePieceBytes = Buffer.concat([
  piece('<unk>', 2),
  piece('<s>', 3),
  piece('</s>', 3),
  ...pieces.slice(3, 259).map((text) => piece(text, 6)),
  ...pieces.slice(259).map((text) => piece(text, 1)),
  field(2, Buffer.concat([field(3, 2), Buffer.from([0x98, 2, 1])])),
  field(3, Buffer.concat([field(1, 'identity'), field(3, 1), field(5, 1)])),
])

export const sentencePiece: Target = {
  name: 'sentencepiece',
  fixed: ['tokenizer_config.json'],
  seeds: (): Input[] => [
    { 'tokenizer.model': sentencePieceBytes },
    { 'tokenizer.model': sentencePieceBytes, 'tokenizer_config.json': json(settings) },
  ],
  read: use,
}
