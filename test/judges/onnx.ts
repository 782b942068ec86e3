import { sample } from '../e2e/secateur.ts'
import type { Judge, Judging } from './judge.ts'
import { ids, writeAnswers } from './ours.ts'
import { exportOnnx, prune } from './outputs.ts'
import { difference, table } from './tables.ts'
import { agrees, type Verdict } from './verdicts.ts'
import type { Question } from './workshop.ts'

/** ONNX Runtime runs every graph that Secateur writes: whole, and piece by piece with a cache of keys and values. */
export const onnxJudge: Judge = {
  name: 'onnx',
  title: 'ONNX, run by ONNX Runtime',
  async judge(judging) {
    const { models, workshop, say } = judging
    const questions: Question[] = []
    for (const model of models) {
      say(`Secateur writes ONNX of ${model}`)
      questions.push(...(await graphsOf(model, workshop.model(model), workshop.text, judging)))
    }
    say('Secateur writes ONNX of the sample')
    questions.push(...(await graphsOf('the sample', sample('model'), sample('heldout.txt'), judging)))
    say(`ONNX Runtime runs ${questions.length} graphs`)
    const { versions, verdicts } = await workshop.ask('onnx_judge.py', questions)
    for (const verdict of verdicts) if (!agrees(verdict)) say(`DIFFERS ${JSON.stringify(verdict)}`)
    return {
      agrees: verdicts.every(agrees),
      versions,
      text: `Every graph passes onnx.checker with its shapes inferred. Then the worst difference of its logits from those of transformers,
which computes in float64: of whole sequences, and after the slash of the same in pieces of 9, 5 and 1 tokens with the cache
that the graph gives out. Transformers builds no layers that differ; there the logits are compared with Secateur's own.

${table(rowsOf(verdicts))}`,
    }
  },
}

/** A model as it is, pruned in each type of weights, and pruned to layers that differ, each as a graph. */
async function graphsOf(model: string, base: string, text: string, { workshop }: Judging): Promise<Question[]> {
  const path = (what: string) => workshop.path(`onnx-${model}-${what}`)
  const pruned = (outputDtype: string, more: object = {}) =>
    prune(base, text, path(`pruned-${outputDtype}-${Object.values(more).join()}`), { outputDtype, steps: 2, ...more })
  const checkpoints: Record<string, string> = {
    'as it is': base,
    'pruned, float32': await pruned('float32'),
    'pruned, float16': await pruned('float16'),
    'pruned, bfloat16': await pruned('bfloat16'),
    ragged: await pruned('float32', { ranking: 'global' }),
  }
  const questions: Question[] = []
  for (const [what, checkpoint] of Object.entries(checkpoints)) {
    questions.push({
      model,
      what,
      graph: await exportOnnx(checkpoint, path(what)),
      // null: what no other program reads is compared with Secateur's answers.
      checkpoint: what === 'ragged' ? null : checkpoint,
      answers: await writeAnswers(path(`${what}.safetensors`), checkpoint),
      ids,
    })
  }
  return questions
}

const cell = ({ error, logits, cached }: Verdict) => error ?? `${difference(logits)} / ${difference(cached)}`

function rowsOf(verdicts: readonly Verdict[]): Record<string, string>[] {
  return [...Map.groupBy(verdicts, ({ model }) => model)].map(([model, ofModel]) => ({
    model,
    ...Object.fromEntries(ofModel.map((verdict) => [verdict.what, cell(verdict)])),
  }))
}
