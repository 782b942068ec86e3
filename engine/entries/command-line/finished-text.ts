import type { Ran, ResultEvent } from '../../contract/index.ts'
import { numberText } from '../../shared/number-text.ts'

type Latency = NonNullable<ResultEvent['latency']>

/** How fast a scored checkpoint is, and on what: a line for each length of a prompt that was asked for. */
export const latencyText = ({ byLength, ran, ...usual }: Latency): string[] =>
  byLength
    ? byLength.map((speed) => speedText(`prompt of ${numberText(speed.prompt)} tokens:`, speed) + onText(ran))
    : [speedText('prompt', usual) + onText(ran)]

const speedText = (
  prompt: string,
  { promptTokensPerSecond: read, generatedTokensPerSecond: generated }: Omit<Latency, 'byLength' | 'ran'>,
) => `${prompt} ${numberText(Math.round(read))} tokens/s, generation ${numberText(Math.round(generated))} tokens/s`

/** What a scored checkpoint wrote, and on what. */
export const examplesText = ({ examples, examplesRan }: Pick<ResultEvent, 'examples' | 'examplesRan'>): string[] => [
  ...(examples && examplesRan ? [`examples${onText(examplesRan)}:`] : []),
  ...(examples ?? []).map(({ prompt, text }) => `${prompt} >${text}`),
]

const onText = (ran: Ran | undefined): string => (ran ? `, on ${ran.name} (${ran.type})` : '')
