import type { BesideDense, ClassificationScore, ResultEvent, TaskScores } from '../../contract/index.ts'
import { numberText } from '../../shared/number-text.ts'
import { imagesText } from './event-text.ts'

/** What a checkpoint scored, and what changed from the dense one, a line each. */
export function scoresText(result: ResultEvent): string[] {
  const lines: string[] = []
  for (const [name, { value, scored, window }] of Object.entries(result.perplexity ?? {}))
    lines.push(`perplexity ${name}: ${value.toFixed(3)} (${numberText(scored)} tokens scored, window ${window})`)
  for (const [name, score] of Object.entries(result.tasks ?? {})) {
    const norm = score.accNorm === undefined ? '' : `, ${part('acc_norm', score.accNorm, score.stderrNorm)}`
    lines.push(`${name}: ${part('acc', score.acc, score.stderr)}${norm}${wordText(score)} (n = ${numberText(score.n)})`)
    for (const { name: category, acc, stderr, n } of score.categories ?? [])
      lines.push(`  ${category}: ${part('acc', acc, stderr)} (n = ${numberText(n)})`)
    for (const { name: subject, acc, stderr, n } of score.subjects ?? [])
      lines.push(`    ${subject}: ${part('acc', acc, stderr)} (n = ${numberText(n)})`)
  }
  if (result.classification) lines.push(`images: ${classificationText(result.classification)}`)
  if (result.dense?.classification) lines.push(`images, dense: ${classificationText(result.dense.classification)}`)
  if (result.besideDense) lines.push(...besideDenseText(result.besideDense))
  return lines
}

function wordText({ perplexity, stderrPerplexity: error }: TaskScores): string {
  if (perplexity === undefined) return ''
  return `, perplexity ${perplexity.toFixed(3)}${error == null ? '' : ` ± ${error.toFixed(3)}`}`
}

/** What changed from the dense checkpoint, a line each. */
function besideDenseText({ tasks, images, texts }: BesideDense): string[] {
  const answers = [...Object.entries(tasks), ...(images ? [['images', images] as const] : [])]
  return [
    ...answers.map(([name, { rightToWrong, wrongToRight, n, difference, stderr, p }]) => {
      const flips = `${numberText(rightToWrong)} right to wrong, ${numberText(wrongToRight)} wrong to right of ${numberText(n)}`
      return `${name}, beside dense: ${flips}; ${part('accuracy', difference, stderr)}; McNemar's p ${p.toPrecision(2)}`
    }),
    ...Object.entries(texts).map(
      ([name, { divergence, agreement, tokens }]) =>
        `${name}, beside dense: KL ${divergence.toFixed(4)} nats a token, the same token likeliest at ${(100 * agreement).toFixed(1)}% of ${numberText(tokens)}`,
    ),
  ]
}

function classificationText({ top1, top5, stderr, n, imagesPerSecond }: ClassificationScore): string {
  const speed = imagesPerSecond === null ? '' : `, ${imagesText(imagesPerSecond)}`
  return `${part('top-1', top1, stderr)}, top-5 ${(100 * top5).toFixed(2)}% (n = ${numberText(n)})${speed}`
}

const part = (label: string, value: number, error: number | null | undefined) =>
  `${label} ${(100 * value).toFixed(2)}%${error == null ? '' : ` ± ${(100 * error).toFixed(2)}`}`
