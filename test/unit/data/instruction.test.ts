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

  test('a field that is named', () => {
    assert.deepEqual(conversationOf({ chat: messages }, 'chat'), { kind: 'messages', messages })
    assert.equal(conversationOf({ instruction: 'Q', output: 'A', body: 'T' }, 'body'), null)
    assert.equal(textOf({ instruction: 'Q', output: 'A', body: 'T' }, 'body'), 'T')
    assert.equal(textOf({ sentence: 'T' }), 'T')
    assert.equal(textOf({ text: 3 }), null)
    assert.equal(textOf({ text: 'T' }, 'body'), null)
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
    assert.equal(learnt(example, chatTokenizer).at(-1), '(x)then<|im_end|>')
    assert.ok(!learnt(example, chatTokenizer).some((stretch) => stretch.includes('Q')))
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
