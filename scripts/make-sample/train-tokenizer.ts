import { byteLetters, learnMerges } from './bpe.ts'
import { model } from './recipe.ts'

/** `<unk>` also pads, as in Llama; ids are the places in this list. */
const specialTokens = ['<unk>', '<s>', '</s>'] as const

/**
 * The two files of a Hugging Face tokenizer, byte-level BPE learnt from the texts: `tokenizer.json` and
 * `tokenizer_config.json`. As with Llama, BOS goes in front and nothing behind.
 */
export function trainTokenizer(texts: readonly string[], vocabularySize = model.vocab_size) {
  const merges = learnMerges(texts, vocabularySize - specialTokens.length - byteLetters.length)
  const tokens = [...specialTokens, ...byteLetters, ...merges.map(([left, right]) => left + right)]
  return { tokenizer: tokenizerFile(tokens, merges), config: configFile() }
}

function tokenizerFile(tokens: readonly string[], merges: readonly (readonly [string, string])[]) {
  const bos = { SpecialToken: { id: '<s>', type_id: 0 } }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [bos, sequence('A', 0)],
      pair: [bos, sequence('A', 0), bos, sequence('B', 1)],
      special_tokens: { '<s>': { id: '<s>', ids: [specialTokens.indexOf('<s>')], tokens: ['<s>'] } },
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map((pair) => pair.join(' ')),
    },
  }
}

const sequence = (id: 'A' | 'B', type: number) => ({ Sequence: { id, type_id: type } })

function configFile() {
  return {
    add_bos_token: true,
    add_eos_token: false,
    bos_token: '<s>',
    eos_token: '</s>',
    unk_token: '<unk>',
    pad_token: '<unk>',
    clean_up_tokenization_spaces: false,
    model_max_length: model.max_position_embeddings,
    tokenizer_class: 'PreTrainedTokenizerFast',
    chat_template: chatTemplate,
  }
}

/** A conversation is laid out like the questions of the training text. */
const chatTemplate = [
  '{{ bos_token }}{% for message in messages %}',
  "{% if message['role'] == 'user' %}{{ 'Question: ' + message['content'] + '\\nAnswer:' }}",
  "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}",
  "{% else %}{{ message['content'] + '\\n\\n' }}{% endif %}{% endfor %}",
].join('')
