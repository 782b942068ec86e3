import { SecateurError } from '../shared/errors.ts'
import { onText } from '../shared/interruptible.ts'
import { PythonTemplate } from './jinja/template.ts'
import type { Tokenizer } from './tokenizer-type.ts'

/**
 * A function that renders conversations by a Jinja template, with the variables that transformers gives to chat templates
 * (`messages`, `add_generation_prompt`, the special tokens; no tools and no documents). Templates reach nothing but these.
 * The template is parsed when it is first used, so that a broken one does not keep a checkpoint from being scored.
 * Errors on rendering: `bad-file` with the template's own complaint, such as roles that must alternate.
 */
export function createChat(
  { file, source }: { file: string; source: string },
  special: { bos: string | null; eos: string | null; pad: string | null; unknown: string | null },
): Tokenizer['chat'] {
  let template: PythonTemplate | undefined
  const tokens = Object.entries({
    bos_token: special.bos,
    eos_token: special.eos,
    pad_token: special.pad,
    unk_token: special.unknown,
  }).filter(([, token]) => token !== null)

  return (messages, { addGenerationPrompt = false } = {}) => {
    try {
      const parsed = (template ??= new PythonTemplate(source))
      const length = messages.reduce((sum, { content }) => sum + content.length, 0)
      return onText(length, () =>
        parsed.render({
          ...Object.fromEntries(tokens),
          messages: messages.map(({ role, content }) => ({ role, content })),
          add_generation_prompt: addGenerationPrompt,
          tools: null,
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
