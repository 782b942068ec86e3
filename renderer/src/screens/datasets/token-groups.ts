import type { PreviewRow } from '../../../../electron/contract/index.ts'

export interface TokenGroup {
  target: boolean
  tokens: { id: number; text: string }[]
}

/** Neighbouring tokens that are all targets, or none of them, together. */
export function groupTokens(tokens: PreviewRow['tokens']): TokenGroup[] {
  const groups: TokenGroup[] = []
  for (const { id, text, target } of tokens) {
    const last = groups.at(-1)
    if (last?.target === target) last.tokens.push({ id, text })
    else groups.push({ target, tokens: [{ id, text }] })
  }
  return groups
}

/** Text of a token with its line ends made visible; they still end the line. */
export const visible = (text: string): string => text.replaceAll(/\r?\n/g, '↵\n')
