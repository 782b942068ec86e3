import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PromptOptions, readPrompts } from '../../../engine/data/self-data.ts'
import { byteTokenizer, chatMl } from './byte-tokenizer.ts'
import { temporaryFolder } from './temporary.ts'

const folder = temporaryFolder()

/** The prompts of a file's rows as text, and the rows that an answer makes of them. */
async function promptsOf(rows: readonly unknown[], options: Partial<PromptOptions> = {}, answer = 'new') {
  const tokenizer = options.tokenizer ?? byteTokenizer()
  const file = folder.write('rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'))
  const settings = { trainOn: 'answers', promptTokens: 4, badRows: 'refuse', ...options, tokenizer } as const
  const prompts = await readPrompts([file], new Set(rows.map((_, row) => row + 1)), settings)
  const ids = tokenizer.encode(answer, { specialTokens: false })
  return [...prompts.values()].map((prompt) => ({
    prompt: tokenizer.decode(prompt.ids, { keepSpecialTokens: true }),
    row: prompt.rowOf(ids),
  }))
}

test('a text is continued from its beginning: so many tokens, or half of a short one', async () => {
  const found = await promptsOf([{ text: 'abcdefghijkl' }, { text: 'xyz' }])
  assert.deepEqual(found, [
    { prompt: '<s>abc', row: { text: 'abcnew' } },
    { prompt: '<s>x', row: { text: 'xnew' } },
  ])
  assert.deepEqual(await promptsOf([{ story: 'abcdefgh' }], { field: 'story' }), [
    { prompt: '<s>abc', row: { story: 'abcnew' } },
  ])
})

test('a question is asked as training lays it out, and its row gets the new answer', async () => {
  const [question, completion] = await promptsOf([
    { instruction: 'Say it.', input: 'it', output: 'old' },
    { prompt: 'One two ', completion: 'three' },
  ])
  assert.match(question!.prompt, /^<s>Below is an instruction[\s\S]*### Input:\nit\n\n### Response:$/)
  assert.deepEqual(question!.row, { instruction: 'Say it.', input: 'it', output: 'new' })
  assert.deepEqual(completion, { prompt: '<s>One two ', row: { prompt: 'One two ', completion: 'new' } })
})

test('a chat is answered at its last answer that is learnt, by the chat template', async () => {
  const chat = [
    { role: 'user', content: 'A' },
    { role: 'assistant', content: 'B' },
    { role: 'user', content: 'C' },
    { role: 'assistant', content: 'D' },
    { role: 'user', content: 'E' },
    { role: 'assistant', content: 'F', weight: 0 },
  ]
  const [found] = await promptsOf([{ messages: chat }], { tokenizer: byteTokenizer(chatMl) })
  assert.ok(found!.prompt.endsWith('<|im_start|>user\nC<|im_end|>\n<|im_start|>assistant\n'), found!.prompt)
  assert.deepEqual(found!.row, {
    messages: [...chat.slice(0, 3), { role: 'assistant', content: 'new' }],
  })
})

test('rows are counted as training counts them, bad ones included', async () => {
  const file = folder.write('bad.jsonl', '{"text":"aaaa"}\n{"text"\n\n{"text":"bbbbbb"}\n{"text":"cccccc"}')
  const options = { tokenizer: byteTokenizer(), trainOn: 'answers', promptTokens: 3, badRows: 'skip' } as const
  const prompts = await readPrompts([file], new Set([3]), options)
  assert.deepEqual(
    [...prompts.values()].map(({ ids }) => options.tokenizer.decode(ids)),
    ['bb'],
  )
  await assert.rejects(readPrompts([file], new Set([9]), options), /bad.jsonl: has changed while it was read/)
})
