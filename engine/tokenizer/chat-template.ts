import { SecateurError } from '../shared/errors.ts'
import { onText } from '../shared/interruptible.ts'
import { PythonTemplate } from './jinja/template.ts'
import type { ChatMessage, Tokenizer } from './tokenizer-type.ts'

/** A chat template, and the one that takes its place where there are tools, if that is another. */
export interface ChatTemplate {
  file: string
  source: string
  withTools: string
}

/**
 * A function that renders conversations by a Jinja template, with the variables that transformers gives to chat templates
 * (`messages`, `tools`, `add_generation_prompt`, the special tokens; no documents). Templates reach nothing but these.
 * The template is parsed when it is first used, so that a broken one does not keep a checkpoint from being scored.
 * Errors on rendering: `bad-file` with the template's own complaint, such as roles that must alternate.
 */
export function createChat(
  { file, source, withTools }: ChatTemplate,
  special: { bos: string | null; eos: string | null; pad: string | null; unknown: string | null },
): Tokenizer['chat'] {
  const templates = new Map<string, PythonTemplate>()
  const tokens = Object.entries({
    bos_token: special.bos,
    eos_token: special.eos,
    pad_token: special.pad,
    unk_token: special.unknown,
  }).filter(([, token]) => token !== null)

  return (messages, { addGenerationPrompt = false, tools } = {}) => {
    const used = tools ? withTools : source
    try {
      const template = templates.get(used) ?? new PythonTemplate(used)
      templates.set(used, template)
      const length = messages.reduce((sum, { content }) => sum + content.length, 0)
      return onText(length, () =>
        template.render({
          ...Object.fromEntries(tokens),
          messages: messages.map(shown),
          add_generation_prompt: addGenerationPrompt,
          tools: tools ?? null,
          documents: null,
        }),
      )
    } catch (cause) {
      if (cause instanceof SecateurError && cause.kind === 'interrupted') throw cause
      const message = `cannot render this conversation: ${(cause as Error).message}`
      throw new SecateurError('bad-file', message, { file, field: 'chat_template', cause })
    }
  }
}

/** A message as transformers shows it to templates: without what is null, and with reasoning under both of its names. */
function shown({ role, content, fields = {} }: ChatMessage): Record<string, unknown> {
  const { content: none, reasoning_content: reasoning, ...others } = fields
  return {
    role,
    ...(none === null ? {} : { content }),
    ...(reasoning === undefined ? {} : { thinking: reasoning, reasoning_content: reasoning }),
    ...others,
  }
}
