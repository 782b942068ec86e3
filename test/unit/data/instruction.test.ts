import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Tokenizer } from '../../../engine/tokenizer/tokenizer-type.ts'
import { type Conversation, conversationOf } from '../../../engine/data/conversation.ts'
import type { EncodedExample } from '../../../engine/data/example.ts'
import { type RenderChat, alpacaPrompt, encodeConversation } from '../../../engine/data/instruction.ts'
import { encodeText, textOf } from '../../../engine/data/text.ts'
import { byteTokenizer, chatMl } from './byte-tokenizer.ts'

const tokenizer = byteTokenizer()
const chatTokenizer = byteTokenizer(chatMl, 3)

const all = (example: EncodedExample, by: Tokenizer) => by.decode([...example.ids], { keepSpecialTokens: true })

/** What is to be learnt, stretch by stretch. */
function learnt({ ids, trained }: EncodedExample, by: Tokenizer): string[] {
  const stretches: number[][] = []
  for (const [place, id] of ids.entries()) {
    if (trained[place] !== 1) continue
    if (place === 0 || trained[place - 1] !== 1) stretches.push([])
    stretches.at(-1)!.push(id)
  }
  return stretches.map((stretch) => by.decode(stretch, { keepSpecialTokens: true }))
}

const encodeAlpaca = (conversation: Conversation, trainOn?: 'everything') =>
  encodeConversation(conversation, tokenizer, { trainOn })
const encodeChat = (conversation: Conversation, renderChat: RenderChat = chatMl) =>
  encodeConversation(conversation, chatTokenizer, { renderChat })

test("the prompt is Stanford Alpaca's, character for character", () => {
  // PROMPT_DICT of tatsu-lab/stanford_alpaca, train.py.
  const withInput =
    'Below is an instruction that describes a task, paired with an input that provides further context. ' +
    'Write a response that appropriately completes the request.\n\n' +
    '### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:'
  const withoutInput =
    'Below is an instruction that describes a task. ' +
    'Write a response that appropriately completes the request.\n\n' +
    '### Instruction:\n{instruction}\n\n### Response:'
  assert.equal(alpacaPrompt('{instruction}', '{input}'), withInput)
  assert.equal(alpacaPrompt('{instruction}'), withoutInput)
})

describe('kinds of rows', () => {
  const question = { kind: 'question', instruction: 'Q', input: '', answer: 'A' }
  const messages = [
    { role: 'user', content: 'Q' },
    { role: 'assistant', content: 'A' },
  ]
  const rows: [string, Record<string, unknown>, unknown][] = [
    ['Alpaca', { instruction: 'Q', input: '', output: 'A', text: 'all' }, question],
    ['Alpaca with input', { instruction: 'Q', input: 'I', output: 'A' }, { ...question, input: 'I' }],
    ['Dolly', { instruction: 'Q', context: 'I', response: 'A' }, { ...question, input: 'I' }],
    ['LaMini', { instruction: 'Q', response: 'A' }, question],
    ['prompt and response', { prompt: 'Q', response: 'A' }, question],
    ['question and answer', { question: 'Q', answer: 'A' }, question],
    ['prompt and completion', { prompt: 'Q', completion: 'A' }, { kind: 'completion', prompt: 'Q', answer: 'A' }],
    ['messages', { messages, text: 'all' }, { kind: 'messages', messages }],
    [
      'ShareGPT',
      {
        conversations: [
          { from: 'human', value: 'Q' },
          { from: 'gpt', value: 'A' },
        ],
      },
      { kind: 'messages', messages },
    ],
    ['BoolQ, whose answer is no text', { question: 'Q', answer: true }, null],
    ['text', { text: 'T' }, null],
  ]
  for (const [name, row, expected] of rows) test(name, () => assert.deepEqual(conversationOf(row), expected))

  test('a context beside a question and its answer is what the question is about', () => {
    const row = { question: 'Q', context: 'I', answer: 'A' }
    assert.deepEqual(conversationOf(row), { ...question, input: 'I' })
    assert.throws(() => conversationOf({ ...row, input: 'other' }), /context: says something else than input/)
  })

  test('a field that is named', () => {
    assert.deepEqual(conversationOf({ chat: messages }, 'chat'), { kind: 'messages', messages })
    assert.equal(conversationOf({ instruction: 'Q', output: 'A', body: 'T' }, 'body'), null)
    assert.equal(textOf({ instruction: 'Q', output: 'A', body: 'T' }, 'body'), 'T')
    assert.equal(textOf({ sentence: 'T' }), 'T')
    assert.equal(textOf({ text: 3 }), null)
    assert.equal(textOf({ text: 'T' }, 'body'), null)
  })
})

const user = (content: unknown, more = {}) => ({ role: 'user', content, ...more })
const assistant = (content: unknown, more = {}) => ({ role: 'assistant', content, ...more })
const system = (content: unknown) => ({ role: 'system', content })
const text = (value: string) => ({ type: 'text', text: value })

describe('what changes what is learnt is honoured', () => {
  const chat = [user('Q'), assistant('A')]
  const told = { kind: 'messages', messages: [system('S'), ...chat] }
  const rows: [string, Record<string, unknown>, unknown][] = [
    ["Alpaca's system", { instruction: 'Q', output: 'A', system: 'S' }, told],
    ["OpenOrca's system_prompt", { system_prompt: 'S', question: 'Q', response: 'A' }, told],
    [
      "ShareGPT's system",
      {
        conversations: [
          { from: 'human', value: 'Q' },
          { from: 'gpt', value: 'A' },
        ],
        system: 'S',
      },
      told,
    ],
    ['a system that the messages have too', { messages: [system('S'), ...chat], system: 'S' }, told],
    [
      'an empty system',
      { instruction: 'Q', output: 'A', system: ' ', history: [] },
      { kind: 'question', instruction: 'Q', input: '', answer: 'A' },
    ],
    [
      "Alpaca's history",
      { instruction: 'Q', input: 'I', output: 'A', history: [['Q0', 'A0']] },
      { kind: 'messages', messages: [user('Q0'), assistant('A0'), user('Q\n\nI'), assistant('A')] },
    ],
    [
      'weight and train',
      {
        messages: [
          user('Q', { weight: null }),
          assistant('A', { weight: 0 }),
          assistant('B', { train: false }),
          assistant('C', { weight: 1 }),
        ],
      },
      {
        kind: 'messages',
        messages: [user('Q'), assistant('A', { train: false }), assistant('B', { train: false }), assistant('C')],
      },
    ],
    [
      'empty fields of a table',
      { messages: [user('Q'), assistant('A', { tool_calls: [], reasoning_content: null })], tools: '[]' },
      { kind: 'messages', messages: chat },
    ],
  ]
  for (const [name, row, expected] of rows) test(name, () => assert.deepEqual(conversationOf(row), expected))

  const turns = [user('Q1'), assistant('the first', { weight: 0 }), user('Q2'), assistant('then')]

  test('an answer of weight 0 is read, and not learnt', () => {
    const conversation = conversationOf({ messages: turns })!
    assert.deepEqual(learnt(encodeChat(conversation), chatTokenizer), ['then<|im_end|>'])
    assert.deepEqual(learnt(encodeAlpaca(conversation), tokenizer), ['then</s>'])
    const last = conversationOf({
      messages: turns.with(3, assistant('then', { train: false })).with(1, assistant('the first')),
    })!
    assert.deepEqual(learnt(encodeChat(last), chatTokenizer), ['the first<|im_end|>'])
  })

  test('where everything is learnt, an answer of weight 0 is not; calibration reads all', () => {
    const conversation = conversationOf({ messages: turns })!
    const learntOf = (trainOn: 'everything' | 'every token') =>
      learnt(encodeConversation(conversation, chatTokenizer, { renderChat: chatMl, trainOn }), chatTokenizer)
    const before = 'user\nQ1<|im_end|>\n<|im_start|>assistant\n'
    const after = '\n<|im_start|>user\nQ2<|im_end|>\n<|im_start|>assistant\nthen<|im_end|>\n'
    assert.deepEqual(learntOf('everything'), [before, after])
    assert.deepEqual(learntOf('every token'), [`${before}the first<|im_end|>${after}`])
  })

  test("TRL's prompt and completion: the completion is learnt, and the prompt's answers where everything is", () => {
    const row = { prompt: [user('Q1'), assistant('the first'), user('Q2')], completion: [assistant('then')] }
    const conversation = conversationOf(row)!
    assert.deepEqual(learnt(encodeChat(conversation), chatTokenizer), ['then<|im_end|>'])
    const whole = encodeConversation(conversation, chatTokenizer, { renderChat: chatMl, trainOn: 'everything' })
    assert.ok(whole.trained.subarray(1).every((flag) => flag === 1))
  })
})

describe('conversations in other shapes', () => {
  const chat = { kind: 'messages', messages: [user('Q'), assistant('A')] }
  const rows: [string, Record<string, unknown>][] = [
    ['parts of type text', { messages: [user([text('Q')]), assistant([text(''), { ...text('A'), image_url: null }])] }],
    ['a list for each field', { conversations: { from: ['human', 'gpt'], value: ['Q', 'A'] } }],
    [
      'JSON text',
      {
        conversations: JSON.stringify([
          { from: 'human', value: 'Q' },
          { from: 'gpt', value: 'A' },
        ]),
      },
    ],
    [
      'roles in capitals',
      {
        messages: [
          { role: 'User', content: 'Q' },
          { role: 'ASSISTANT ', content: 'A' },
        ],
      },
    ],
    ["Gemma's model", { messages: [user('Q'), { role: 'model', content: 'A' }] }],
    [
      'chatgpt',
      {
        conversations: [
          { from: 'user', value: 'Q' },
          { from: 'chatgpt', value: 'A' },
        ],
      },
    ],
    ['a plain prompt before a list', { prompt: 'Q', completion: [assistant('A')] }],
  ]
  for (const [name, row] of rows) test(name, () => assert.deepEqual(conversationOf(row), chat))
})

describe('what cannot be heard is refused by name', () => {
  const chat = [user('Q'), assistant('A')]
  const rows: [Record<string, unknown>, RegExp][] = [
    [
      { messages: [user('Q'), assistant('A', { function_call: { name: 'f' } })] },
      /^messages, message 2 \(assistant\): holds function_call, which is not read: give it as tool_calls/,
    ],
    [
      { messages: [user('Q'), assistant(null, { tool_calls: { type: 'function' } })] },
      /message 2 \(assistant\): has an object for tool_calls, not a list/,
    ],
    [
      { messages: [user('Q'), assistant('A', { thinking: ['hm'] })] },
      /message 2 .*has a list for its reasoning, not text/,
    ],
    [{ messages: [user('Q'), assistant(null)] }, /message 2 \(assistant\): has null for content: give it text/],
    [
      { messages: [user('Q'), { role: 'assistant', text: 'A' }] },
      /message 2 .*has no content; it has the fields role, text/,
    ],
    [
      { messages: [user([{ type: 'image_url' }]), assistant('A')] },
      /message 1 \(user\): holds, as part 1 of its content, image_url; only parts/,
    ],
    [{ messages: [user(3)] }, /message 1 \(user\): has a number for content/],
    [
      { messages: [{ role: 'critic', content: 'A' }] },
      /message 1: has the role "critic".*name it one of user, assistant, system/,
    ],
    [{ conversations: [{ from: 'function_call', value: '{}' }] }, /message 1: has the role "function_call"/],
    [{ messages: [{ content: 'A' }] }, /message 1: says nowhere who speaks; it has the fields content/],
    [{ messages: ['Q', 'A'] }, /message 1: is a string; a message has role and content/],
    [{ messages: [user('Q'), assistant('A', { weight: 0.5 })] }, /has weight: 0\.5; only 0 and 1/],
    [
      { messages: [user('Q'), assistant('A', { weight: 0, train: true })] },
      /has train: true, and another field says otherwise/,
    ],
    [
      { conversations: { from: ['human', 'gpt'], value: ['Q'] } },
      /conversations: has 2 speakers, but 1 entries in value/,
    ],
    [{ messages: [system('T'), ...chat], system: 'S' }, /system: says something else than the system message/],
    [{ messages: chat, history: [['Q', 'A']] }, /history: stands beside a list of messages/],
    [{ instruction: 'Q', output: 'A', history: ['Q', 'A'] }, /history, entry 1: is not a pair/],
    [{ instruction: 'Q', output: 'A', system: { text: 'S' } }, /system: is an object, not text/],
    [{ prompt: 'Q', completion: 'A', system: 'S' }, /system: has no place before a plain prompt/],
    [{ prompt: 'Q', completion: 'A', label: false }, /bad answer/],
    [{ messages: chat, tools: '{"type": "function"}' }, /tools: is a string, not a list of JSON schemas/],
    [{ prompt: 'Q', completion: 'A', tools: [{ type: 'function' }] }, /tools: have no place before a plain prompt/],
    [{ question: 'Q', answer: 'A', image: 'a.png' }, /image: is not read: only text/],
  ]
  for (const [row, expected] of rows)
    test(String(expected), () => assert.throws(() => conversationOf(row), { name: 'Error', message: expected }))

  test('turns that are no answers', () => {
    const ask = conversationOf({ messages: [user('Q', { weight: 1 }), assistant('A')] })!
    assert.throws(() => encodeChat(ask), /message 1 \(user\): asks to be learnt, but only answers are learnt/)
    const spare = conversationOf({ messages: [user('Q', { weight: 0 }), assistant('A')] })!
    assert.deepEqual(learnt(encodeChat(spare), chatTokenizer), ['A<|im_end|>'])
    assert.throws(() => encodeAlpaca(spare, 'everything'), /message 1 \(user\): asks not to be learnt/)
  })
})

/** Leaves out of earlier answers what stands in brackets, as templates do with a model's thoughts. */
const forgetful: RenderChat = (messages, options) =>
  chatMl(
    messages.map((message, index) =>
      message.role === 'assistant' && index < messages.length - 1
        ? { ...message, content: message.content.replace(/^\(.*?\)/, '') }
        : message,
    ),
    options,
  )

/** The same for all answers that a question follows. */
const laterForgetful: RenderChat = (messages, options) => {
  const asked = messages.map(({ role }) => role).lastIndexOf('user')
  return chatMl(
    messages.map((message, index) =>
      message.role === 'assistant'
        ? { ...message, content: (index > asked ? '(y)' : '') + message.content.replace(/^\(.*?\)/, '') }
        : message,
    ),
    options,
  )
}

const open: RenderChat = (messages) => messages.map(({ content }) => content).join('|')

describe('where loss is taken', () => {
  const question: Conversation = { kind: 'question', instruction: 'Q', input: '', answer: 'Answer' }

  test('Alpaca: on the answer and EOS', () => {
    const example = encodeAlpaca(question)
    assert.equal(all(example, tokenizer), `<s>${alpacaPrompt('Q')}Answer</s>`)
    assert.deepEqual(learnt(example, tokenizer), ['Answer</s>'])
  })

  test('a token that holds the end of the prompt and the start of the answer is learnt', () => {
    const example = encodeAlpaca({ ...question, answer: 'More' })
    assert.deepEqual(learnt(example, tokenizer), [':More</s>'])
    assert.deepEqual([...example.ids], [...tokenizer.encode(`${alpacaPrompt('Q')}More`), 1])
  })

  test('everything but the first token, if asked', () => {
    assert.deepEqual(learnt(encodeAlpaca(question, 'everything'), tokenizer), [`${alpacaPrompt('Q')}Answer</s>`])
  })

  test('a completion follows its prompt as it stands', () => {
    const example = encodeConversation({ kind: 'completion', prompt: '2+2=', answer: '4' }, chatTokenizer, {
      renderChat: chatMl,
    })
    assert.equal(all(example, chatTokenizer), '<s>2+2=4<|im_end|>')
    assert.deepEqual(learnt(example, chatTokenizer), ['4<|im_end|>'])
  })

  test('a chat template: on the answer and its end, not on the line break behind', () => {
    const example = encodeChat({ ...question, input: 'I' })
    assert.equal(
      all(example, chatTokenizer),
      '<|im_start|>user\nQ\n\nI<|im_end|>\n<|im_start|>assistant\nAnswer<|im_end|>\n',
    )
    assert.deepEqual(learnt(example, chatTokenizer), ['Answer<|im_end|>'])
  })

  const turns: Conversation = {
    kind: 'messages',
    messages: [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'Q1' },
      { role: 'assistant', content: 'the first' },
      { role: 'user', content: 'Q2' },
      { role: 'assistant', content: 'then' },
      { role: 'user', content: 'Q3' },
    ],
  }

  test('several turns by a chat template: on every answer', () => {
    const example = encodeChat(turns)
    assert.equal(all(example, chatTokenizer), `${chatMl(turns.messages)}`)
    assert.deepEqual(learnt(example, chatTokenizer), ['the first<|im_end|>', 'then<|im_end|>'])
  })

  test('several turns without a template: on every answer', () => {
    const example = encodeAlpaca({ ...turns, messages: turns.messages.slice(0, 5) })
    assert.equal(
      all(example, tokenizer),
      '<s>S\n\n### Instruction:\nQ1\n\n### Response:the first\n\n### Instruction:\nQ2\n\n### Response:then</s>',
    )
    assert.deepEqual(learnt(example, tokenizer), ['the first', 'then</s>'])
  })

  test('a template that leaves out what an earlier answer held', () => {
    const messages = turns.messages.slice(0, 5).map((message) => ({ ...message, content: `(x)${message.content}` }))
    const example = encodeChat({ kind: 'messages', messages }, forgetful)
    assert.ok(all(example, chatTokenizer).includes('assistant\nthe first<|im_end|>'))
    assert.deepEqual(learnt(example, chatTokenizer), ['the first<|im_end|>', '(x)then<|im_end|>'])
    // The last answer is an earlier one as soon as a question follows.
    const asked = encodeChat(
      { kind: 'messages', messages: [...messages, { role: 'user', content: 'Q3' }] },
      laterForgetful,
    )
    assert.deepEqual(learnt(asked, chatTokenizer), ['the first<|im_end|>', 'then<|im_end|>'])
  })

  test('a line break parts an earlier answer from what follows, and is not learnt, where EOS is another token too', () => {
    const example = encodeConversation(turns, tokenizer, { renderChat: laterForgetful })
    assert.deepEqual(learnt(example, tokenizer), ['the first<|im_end|>', 'then<|im_end|>'])
  })

  test('a template that does not close an answer gets EOS behind it', () => {
    const example = encodeChat(
      question,
      (messages, options) => `${open(messages)}${options?.addGenerationPrompt ? '|' : ''}`,
    )
    assert.equal(all(example, chatTokenizer), 'Q|Answer<|im_end|>')
    assert.deepEqual(learnt(example, chatTokenizer), ['Answer<|im_end|>'])
  })
})

test('text: BOS in front and EOS behind, each once, and all learnt but the first', () => {
  const example = encodeText('the end', tokenizer)
  assert.equal(all(example, tokenizer), '<s>the end</s>')
  assert.deepEqual(learnt(example, tokenizer), ['the end</s>'])
  assert.equal(all(encodeText('<s>x</s>', tokenizer), tokenizer), '<s>x</s>')
})
