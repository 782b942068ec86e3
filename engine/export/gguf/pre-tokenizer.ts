import { z } from 'zod'
import { SecateurError } from '../../shared/errors.ts'
import type { TokenizerFiles } from '../../tokenizer/tokenizer-files.ts'
import type { Component } from '../../tokenizer/tokenizer-json.ts'

/** Words of Llama 3 and of Qwen 2, which differ in how many digits a word has. */
const words = (digits: string) =>
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

/** What llama.cpp calls each way to cut a text into words. Names with the same words differ in whether whole words that are tokens need merges. */
const splits = [
  { pattern: words(String.raw`\p{N}{1,3}`), ignoreMerges: true, name: 'llama-bpe' },
  { pattern: words(String.raw`\p{N}{1,3}`), ignoreMerges: false, name: 'dbrx' },
  { pattern: words(String.raw`\p{N}`), ignoreMerges: false, name: 'qwen2' },
] as const

const byteLevel = z.looseObject({
  type: z.literal('ByteLevel'),
  add_prefix_space: z.boolean().default(true),
  use_regex: z.boolean().default(true),
})
const split = z.looseObject({
  type: z.literal('Split'),
  pattern: z.object({ Regex: z.string() }),
  behavior: z.literal('Isolated'),
  invert: z.literal(false).default(false),
})
const digits = z.looseObject({ type: z.literal('Digits'), individual_digits: z.literal(true) })

/**
 * The name that llama.cpp has for how a byte-level tokenizer cuts a text into words.
 *
 * @throws SecateurError of one that it has none for
 */
export function preTokenizerName({ json, file }: Pick<TokenizerFiles, 'json' | 'file'>): string {
  const refuse = (field: string, why: string) =>
    new SecateurError('unsupported', `cannot be said in GGUF: ${why}`, { file, field })
  const { pre_tokenizer: step, normalizer, model } = json
  // The converter of llama.cpp leaves Unicode's composition out as well; texts are composed nearly always.
  if (normalizer !== null && !(normalizer.type === 'NFC'))
    throw refuse('normalizer', `llama.cpp changes no text before byte-level tokens, and this is ${normalizer.type}`)
  const steps = stepsOf(step)
  const last = byteLevel.safeParse(steps.at(-1))
  if (!last.success)
    throw refuse('pre_tokenizer', 'llama.cpp has no name for it; it has those of GPT-2, Llama 3, Qwen 2 and SmolLM')
  if (last.data.add_prefix_space)
    throw refuse('pre_tokenizer.add_prefix_space', 'llama.cpp adds no blank before byte-level tokens')
  const first = steps.slice(0, -1)
  if (last.data.use_regex) {
    const name =
      first.length === 0 ? 'gpt-2' : first.length === 1 && digits.safeParse(first[0]).success ? 'smollm' : null
    if (name !== null && !model.ignore_merges) return name
  } else if (first.length === 1) {
    const parsed = split.safeParse(first[0])
    const known = splits.find(
      ({ pattern, ignoreMerges }) => parsed.data?.pattern.Regex === pattern && ignoreMerges === model.ignore_merges,
    )
    if (known) return known.name
  }
  throw refuse(
    'pre_tokenizer',
    'llama.cpp has no name for how it cuts words' + (model.ignore_merges ? ' with ignore_merges set' : ''),
  )
}

function stepsOf(step: Component | null): Component[] {
  if (step === null) return []
  if (step.type !== 'Sequence' || !Array.isArray(step['pretokenizers'])) return [step]
  return (step['pretokenizers'] as Component[]).flatMap(stepsOf)
}
