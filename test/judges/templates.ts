import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createChat } from '../../engine/tokenizer/chat-template.ts'
import type { ChatFields, ChatMessage } from '../../engine/tokenizer/tokenizer-type.ts'
import { SecateurError } from '../../engine/shared/errors.ts'
import type { Judge } from './judge.ts'
import { packageFolder } from './python.ts'
import { table } from './tables.ts'
import { agrees, type Verdict } from './verdicts.ts'
import type { Question } from './workshop.ts'

const trl = { name: 'trl', version: '1.16.0' }
const user = (content: string): ChatMessage => ({ role: 'user', content })
const assistant = (content: string, fields?: ChatFields): ChatMessage => ({
  role: 'assistant',
  content,
  ...(fields && { fields }),
})
const parameters = { type: 'object', properties: { city: { type: 'string', description: 'Its name' } } }
const tools = [{ type: 'function', function: { name: 'weather', description: 'Tells the weather', parameters } }]
const call = { type: 'function', function: { name: 'weather', arguments: { city: 'Köln' } } }
const inText = { id: 'abc123def', type: 'function', function: { name: 'weather', arguments: '{"city": "Bern"}' } }

interface Conversation {
  messages: ChatMessage[]
  tools?: readonly unknown[]
}

/** What templates are known to treat each in its own way. */
const conversations: Record<string, Conversation> = {
  'two turns': { messages: [user('Who was it?'), assistant('First one.'), user('And then?'), assistant('Second.')] },
  'ends with the user': { messages: [user('Who?'), assistant('First one.'), user('So?')] },
  'a system message': {
    messages: [{ role: 'system', content: 'Be brief.' }, user('Who?'), assistant('First one.'), user('So?')],
  },
  thoughts: {
    messages: [
      user('Who?'),
      assistant('<think>\nhm\n</think>\n\nFirst.'),
      user('So?'),
      assistant('<think>\nah\n</think>\n\nNo.'),
    ],
  },
  blanks: { messages: [user('  Who? '), assistant('\n First one. \n'), user('So?'), assistant(' Second. ')] },
  'other letters': { messages: [user('Wer <b>war</b> "es"?\t日本語'), assistant("Él's 👩‍👧\r\nß")] },
  tools: { messages: [user('Who?'), assistant('First one.')], tools },
  'a tool that is called': {
    messages: [
      user('Is it cold in Köln?'),
      assistant('', { tool_calls: [call] }),
      { role: 'tool', content: '{"degrees": 3}', fields: { name: 'weather' } },
      assistant('Yes.'),
    ],
    tools,
  },
  'reasoning beside the answers': {
    messages: [
      user('2?'),
      assistant('2.', { reasoning_content: 'So.' }),
      user('3?'),
      assistant('3.', { reasoning_content: 'As before.' }),
    ],
  },
  'calls without a text': {
    messages: [
      user('Both?'),
      assistant('', { content: null, reasoning_content: 'Two.', tool_calls: [call, inText] }),
      { role: 'tool', content: '3 °C', fields: { name: 'weather', tool_call_id: 'abc123def' } },
      assistant('So it is.', { reasoning_content: 'Now I know.' }),
    ],
    tools,
  },
  'ends with a call': {
    messages: [user('Is it cold?'), assistant('I ask.', { tool_calls: [inText] })],
    tools,
  },
}
const special = { bos_token: '<s>', eos_token: '</s>' }

/** transformers renders published chat templates, those that the TRL package carries. */
export const templatesJudge: Judge = {
  name: 'templates',
  title: 'Chat templates, rendered by transformers',
  async judge({ workshop, say }) {
    const folder = packageFolder(workshop.python, trl, say)
    const templates = globSync('trl/chat_templates/*.jinja', { cwd: folder }).toSorted()
    if (templates.length === 0) throw new Error(`${trl.name} ${trl.version} has no chat templates any more`)
    const questions = templates.flatMap((file) => questionsOf(join(folder, file)))
    say(`transformers renders ${questions.length} texts of ${templates.length} templates`)
    const { versions, verdicts } = await workshop.ask('templates_judge.py', questions)
    const differing = verdicts.filter((verdict) => !agrees(verdict))
    return {
      agrees: differing.length === 0,
      versions: { ...versions, 'templates of trl': trl.version },
      text: `${templates.length} templates of published models, each with ${Object.keys(conversations).length} conversations, with and
without the beginning of an answer: ${verdicts.length - differing.length} of ${verdicts.length} texts are the same, letter by
letter; where a template refuses a conversation, both refuse it.${differing.length ? `\n\n${differingTable(differing)}` : ''}`,
    }
  },
}

const differingTable = (verdicts: readonly Verdict[]) =>
  table(
    verdicts.map(({ model, what, error }) => ({
      template: model,
      conversation: what,
      differs: error ?? 'another text',
    })),
  )

function questionsOf(template: string): Question[] {
  const names = { bos: special.bos_token, eos: special.eos_token, pad: null, unknown: null }
  const source = readFileSync(template, 'utf8')
  const chat = createChat({ file: template, source, withTools: source }, names)
  return Object.entries(conversations).flatMap(([conversation, { messages, tools: given }]) =>
    [false, true].map((addGenerationPrompt) => ({
      model: basename(template),
      what: addGenerationPrompt ? `${conversation}, answer begun` : conversation,
      template,
      messages: messages.map(asTransformersTakesThem),
      tools: given ?? null,
      addGenerationPrompt,
      special,
      text: rendered(() => chat(messages, { addGenerationPrompt, tools: given })),
    })),
  )
}

/** apply_chat_template leaves out what is null before it renders. */
function asTransformersTakesThem({ role, content, fields }: ChatMessage): Record<string, unknown> {
  const given: Record<string, unknown> = { role, content, ...fields }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))
}

/** Null where the template refuses the conversation. */
function rendered(render: () => string | null): string | null {
  try {
    return render()
  } catch (error) {
    if (error instanceof SecateurError) return null
    throw error
  }
}
