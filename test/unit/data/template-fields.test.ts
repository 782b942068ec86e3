import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { conversationOf } from '../../../engine/data/conversation.ts'
import { encodeConversation } from '../../../engine/data/instruction.ts'
import { createChat } from '../../../engine/tokenizer/chat-template.ts'
import { byteTokenizer } from './byte-tokenizer.ts'

const special = { bos: '<s>', eos: '<|im_end|>', pad: null, unknown: null }
const chatOf = (source: string, withTools = source) => createChat({ file: 'template', source, withTools }, special)

/** Shows everything, and no text where there is none. */
const full = chatOf(
  '{% if tools %}[tools {{ tools | tojson }}]\n{% endif %}' +
    '{% for m in messages %}<|im_start|>{{ m.role }}\n' +
    '{% if m.reasoning_content %}<think>{{ m.thinking }}</think>{% endif %}' +
    '{% if m.content is defined %}{{ m.content }}{% endif %}' +
    '{% for call in m.tool_calls %}<call>{{ call.function.name }} {{ call.function.arguments | tojson }}</call>{% endfor %}' +
    '{% if m.tool_call_id %} of {{ m.name }} {{ m.tool_call_id }}{% endif %}<|im_end|>\n{% endfor %}' +
    '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}',
)
/** Shows roles and texts alone. */
const plain = chatOf(
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content or '' }}<|im_end|>\n{% endfor %}" +
    '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}',
)
/** As Qwen3: reasoning of turns before the last question is left out. */
const forgetful = chatOf(
  '{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == "user" %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}' +
    '{% for m in messages %}<|im_start|>{{ m.role }}\n' +
    '{% if m.role == "assistant" and loop.index0 > ns.last %}<think>{{ m.reasoning_content or "" }}</think>{% endif %}' +
    '{{ m.content }}{% for call in m.tool_calls %}<call>{{ call.function.name }}</call>{% endfor %}<|im_end|>\n{% endfor %}' +
    '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}',
)

const user = (content: string) => ({ role: 'user', content })
const call = (args: unknown) => ({ type: 'function', function: { name: 'weather', arguments: args } })
const tool = { type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }
const turns = [
  user('Is it wet?'),
  { role: 'assistant', content: null, reasoning_content: 'I ask.', tool_calls: [call({ city: 'Bern' })] },
  { role: 'tool', content: 'rain', name: 'weather', tool_call_id: 'c1' },
  { role: 'assistant', content: 'Yes.' },
]

/** The text of a row, and the parts of it that are learnt. */
function learnt(row: Record<string, unknown>, chat: ReturnType<typeof createChat>) {
  const tokenizer = byteTokenizer(chat, 3)
  const { ids, trained } = encodeConversation(conversationOf(row)!, tokenizer, {
    renderChat: (messages, options) => chat(messages, options),
  })
  const text = (from: number, to: number) => tokenizer.decode([...ids.subarray(from, to)], { keepSpecialTokens: true })
  const answers: string[] = []
  for (let at = 0; at < ids.length;) {
    const end = trained.indexOf(1 - trained[at]!, at)
    if (trained[at] === 1) answers.push(text(at, end < 0 ? ids.length : end))
    at = end < 0 ? ids.length : end
  }
  return { text: text(0, ids.length), answers }
}

describe('what a chat template reads besides texts', () => {
  test('is shown to it, and what it writes of an answer is learnt', () => {
    const { text, answers } = learnt({ messages: turns, tools: [tool] }, full)
    assert.ok(text.startsWith(`[tools [{"type": "function", "function": {"name": "weather", "parameters": `), text)
    assert.match(text, /rain of weather c1<\|im_end\|>/)
    assert.deepEqual(answers, [
      '<think>I ask.</think><call>weather {"city": "Bern"}</call><|im_end|>',
      'Yes.<|im_end|>',
    ])
  })

  test('may be JSON text; arguments that are text stay text, as transformers leaves them', () => {
    const calls = JSON.stringify([call('{"city": "Bern"}')])
    const row = { messages: [user('Q'), { role: 'assistant', tool_calls: calls }], tools: JSON.stringify([tool]) }
    const { text, answers } = learnt(row, full)
    assert.ok(text.startsWith('[tools [{'))
    assert.deepEqual(answers, ['<call>weather "{\\"city\\": \\"Bern\\"}"</call><|im_end|>'])
    const named = chatOf('{{ messages[0].content }}|', '{{ tools | length }} tools|{{ messages[0].content }}|')
    assert.equal(named([user('Q')], { tools: [tool] }), '1 tools|Q|')
    assert.equal(named([user('Q')]), 'Q|')
  })

  test('is found where a template writes earlier turns in another way', () => {
    const more = [...turns.slice(0, 3), { role: 'assistant', content: 'Yes.', thinking: 'Rain.' }, user('Sure?')]
    const { answers } = learnt(
      { messages: [...more, { role: 'assistant', content: 'Sure.', reasoning: 'Wet.' }] },
      forgetful,
    )
    assert.deepEqual(answers, [
      '<call>weather</call><|im_end|>',
      'Yes.<|im_end|>',
      '<think>Wet.</think>Sure.<|im_end|>',
    ])
  })

  test('is refused by name where the template passes over it, or there is none', () => {
    const refusals: [Record<string, unknown>, RegExp][] = [
      [
        { messages: turns },
        /^message 2 \(assistant\): holds tool_calls, which this checkpoint's chat template does not/,
      ],
      [
        { messages: [user('Q'), { role: 'assistant', content: 'A', thinking: 'R' }] },
        /message 2 .*reasoning_content, /,
      ],
      [
        { messages: [user('Q'), { role: 'assistant', content: 'A' }], tools: [tool] },
        /^tools: which this checkpoint's/,
      ],
      [{ question: 'Q', answer: 'A', tools: [tool] }, /^tools: /],
    ]
    for (const [row, expected] of refusals) {
      assert.throws(() => learnt(row, plain), { name: 'Error', message: expected })
      assert.throws(
        () => learnt(row, () => null),
        /which only a chat template could show, and this checkpoint has none/,
      )
    }
    const early = { role: 'assistant', content: 'A', reasoning_content: 'R' }
    const chat = { messages: [user('Q'), early, user('Q'), { role: 'assistant', content: 'B' }] }
    assert.deepEqual(learnt(chat, forgetful).answers, ['A<|im_end|>', '<think></think>B<|im_end|>'])
  })
})
