import type { Judge, Judging } from './judge.ts'
import { withOldConfig, addTokenizer } from './models.ts'
import { ids, writeAnswers, writeSharded } from './ours.ts'
import { continuation, measurePerplexity, merge, prune } from './outputs.ts'
import { byModel, difference } from './tables.ts'
import { agrees, type Verdict } from './verdicts.ts'
import type { Base, Question } from './workshop.ts'

/** transformers loads every kind of checkpoint that Secateur reads and writes. */
export const transformersJudge: Judge = {
  name: 'transformers',
  title: 'Checkpoints, loaded by transformers',
  async judge(judging) {
    const { models, workshop, say } = judging
    const questions: Question[] = []
    for (const base of await workshop.bases(models)) {
      say(`Secateur writes checkpoints of ${base.model}`)
      questions.push(...(await checkpointsOf(base, judging)))
    }
    say(`transformers reads ${questions.length} checkpoints`)
    const { versions, verdicts } = await workshop.ask('transformers_judge.py', questions)
    for (const verdict of verdicts) if (!agrees(verdict)) say(`DIFFERS ${JSON.stringify(verdict)}`)
    return {
      agrees: verdicts.every(agrees),
      versions,
      text: `Worst difference of the logits of each checkpoint; then, of the merged and the pruned float32 ones, the relative
difference of perplexity, and whether greedy continuations are the same, token by token. transformers computes in float64,
Secateur in float32, so that differences of some 1e-5 are rounding.

${byModel(verdicts, cells)}`,
    }
  },
}

/** Every kind of checkpoint that Secateur reads and writes of a model. */
async function checkpointsOf(
  { model, folder: base, saved, adapter }: Base,
  { workshop }: Judging,
): Promise<Question[]> {
  const { text } = workshop
  const folder = (what: string) => workshop.path(`${model}-${what}`)
  addTokenizer(saved)
  const old = withOldConfig(base, folder('old-config'))
  const merged = await merge(base, await workshop.adapter(model), folder('merged'))
  const pruned = await prune(base, text, folder('float32'), { outputDtype: 'float32' })
  const written: Record<string, string> = {
    'as it is': base,
    'saved by transformers 5, pruned': await prune(saved, text, folder('saved-pruned'), { outputDtype: 'same' }),
    ...(old
      ? { 'config of transformers 4, pruned': await prune(old, text, folder('old-pruned'), { outputDtype: 'same' }) }
      : {}),
    merged,
    "PEFT's merged": await merge(base, adapter, folder('merged-peft')),
    'pruned, float32': pruned,
    'pruned, float16': await prune(base, text, folder('float16'), { outputDtype: 'float16' }),
    'pruned, bfloat16': await prune(base, text, folder('bfloat16'), { outputDtype: 'bfloat16' }),
    'pruned, in shards': await writeSharded(pruned, folder('shards')),
  }
  const questions: Question[] = []
  for (const [what, checkpoint] of Object.entries(written)) {
    const answers = await writeAnswers(folder(`${questions.length}.safetensors`), checkpoint)
    const question = { model, what, checkpoint, ids, answers }
    const scored = checkpoint === merged || checkpoint === pruned
    questions.push(
      scored
        ? {
            ...question,
            perplexity: await measurePerplexity(checkpoint, text),
            continued: await continuation(checkpoint),
          }
        : question,
    )
  }
  return questions
}

function cells(verdicts: readonly Verdict[]): Record<string, string> {
  const scored = verdicts.filter(({ greedy }) => greedy !== undefined)
  return {
    ...Object.fromEntries(verdicts.map(({ what, logits, error }) => [what, error ?? difference(logits)])),
    perplexity: difference(Math.max(...scored.map(({ perplexity }) => perplexity ?? Infinity))),
    greedy: scored.every(({ greedy }) => greedy) ? 'equal' : 'DIFFERS',
  }
}
