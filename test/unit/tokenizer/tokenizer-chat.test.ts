import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'
import { tokenizerFolder } from './tokenizer-folder.ts'

const tokenizer = {
  added_tokens: [
    { id: 2, content: '<s>', special: true, normalized: false },
    { id: 3, content: '</s>', special: true, normalized: false },
  ],
  decoder: { type: 'Fuse' },
  model: { type: 'BPE', vocab: { a: 0, ' b': 1 }, merges: [] },
}
const open = (settings: object, files: Record<string, string> = {}) =>
  loadTokenizer(
    tokenizerFolder({
      'tokenizer.json': tokenizer,
      'tokenizer_config.json': { bos_token: '<s>', eos_token: '</s>', ...settings },
      ...files,
    }),
  )

/** The template of Qwen 1.5, whose layout is ChatML. */
const chatMl = `{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`
/** The part of Llama 2's template without the system message. */
const llama2 = `{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + message['content'].strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}`

const user = { role: 'user', content: ' Hi ' }
const assistant = { role: 'assistant', content: 'Hello' }

describe('chat templates', () => {
  test('are rendered with the messages and the generation prompt', async () => {
    const { chat } = await open({ chat_template: chatMl })
    const system = '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n'
    const turns = '<|im_start|>user\n Hi <|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n'
    assert.equal(chat([user, assistant]), system + turns)
    assert.equal(chat([user, assistant], { addGenerationPrompt: true }), `${system}${turns}<|im_start|>assistant\n`)
  })
  test('see the special tokens', async () => {
    const { chat } = await open({ chat_template: llama2 })
    assert.equal(chat([user, assistant, user]), '<s>[INST] Hi [/INST] Hello </s><s>[INST] Hi [/INST]')
  })
  test('are taken from chat_template.jinja first, and of several the default', async () => {
    const named = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: '{{ messages | length }}' },
    ]
    assert.equal((await open({ chat_template: named })).chat([user]), '1')
    const own = { 'chat_template.jinja': '{% if tools is none %}\n{{ messages[0].role }}\n{% endif %}' }
    assert.equal((await open({ chat_template: named }, own)).chat([user]), 'user\n')
    await assert.rejects(
      open({ chat_template: named.slice(0, 1) }),
      /tokenizer_config\.json: chat_template: .*'default'/,
    )
  })
  test('that fail say which file and why, and do not keep the tokenizer from loading', async () => {
    const { chat } = await open({ chat_template: llama2 })
    assert.throws(() => chat([assistant]), /tokenizer_config\.json: chat_template: .*roles must alternate/)
    const broken = await open({}, { 'chat_template.jinja': '{% for message in %}' })
    assert.deepEqual(broken.encode('a'), [0])
    assert.throws(() => broken.chat([user]), /chat_template\.jinja: chat_template: cannot render/)
  })
})
