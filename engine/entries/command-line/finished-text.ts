import type { Ran, ResultEvent } from '../../contract/index.ts'
import { numberText } from '../../shared/number-text.ts'

/** How fast a scored checkpoint is, and on what. */
export const latencyText = ({
  promptTokensPerSecond: prompt,
  generatedTokensPerSecond: generated,
  ran,
}: NonNullable<ResultEvent['latency']>): string =>
  `prompt ${numberText(Math.round(prompt))} tokens/s, generation ${numberText(Math.round(generated))} tokens/s${onText(ran)}`

/** What a scored checkpoint wrote, and on what. */
export const examplesText = ({ examples, examplesRan }: Pick<ResultEvent, 'examples' | 'examplesRan'>): string[] => [
  ...(examples && examplesRan ? [`examples${onText(examplesRan)}:`] : []),
  ...(examples ?? []).map(({ prompt, text }) => `${prompt} >${text}`),
]

const onText = (ran: Ran | undefined): string => (ran ? `, on ${ran.name} (${ran.type})` : '')
