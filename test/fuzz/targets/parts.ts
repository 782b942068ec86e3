import { join } from 'node:path'
import { evaluateSchema } from '../../../engine/contract/index.ts'
import { joinResults } from '../../../engine/parts/join.ts'
import { joinLmEval, joinPredictions, joinRows } from '../../../engine/parts/joined-files.ts'
import { warningsOf } from '../../../engine/parts/part-log.ts'
import { finishedResult } from '../../../engine/parts/part-results.ts'
import { splitEvaluation } from '../../../engine/parts/split.ts'
import { StagedFiles } from '../../../engine/shared/staged-files.ts'
import type { Target } from '../target.ts'

const json = (value: unknown) => Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
const lines = (...values: unknown[]) => Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''))

const job = evaluateSchema.parse({
  kind: 'evaluate',
  checkpoint: 'm',
  compareWith: 'd',
  out: 'o',
  parallel: 1,
  evaluation: { tasks: { piqa: 'p.jsonl' }, predictions: 'rows.jsonl', lmEvalJson: 'results.json' },
})
const scores = { tasks: { piqa: { acc: 0.5, stderr: null, n: 2, answers: '01', total: 2 } }, perplexity: {} }
const paired = { n: 2, rightToWrong: 0, wrongToRight: 0, difference: 0, stderr: 0, p: 1 }
const outcome = {
  type: 'result',
  parameters: { before: 10, after: 8 },
  ...scores,
  dense: scores,
  besideDense: { tasks: { piqa: paired }, texts: {} },
  peakMemoryBytes: 1e8,
  seconds: 3.5,
}
const predictions = {
  version: 1,
  kind: 'choices',
  n: 2,
  task: 'piqa',
  rows: [0, 1],
  gold: [0, 1],
  predicted: [0, 0],
  logLikelihoods: [[-1, -2], [-1, -3]], // oxfmt-ignore
}
const lmEval = {
  results: { piqa: { name: 'piqa', 'acc,none': 0.5 } },
  group_subtasks: {},
  configs: { piqa: { task: 'piqa', num_fewshot: 0 } },
  versions: { piqa: 1 },
  'n-shot': { piqa: 0 },
  higher_is_better: { piqa: { acc: true } },
  'n-samples': { piqa: { original: 2, effective: 2 } },
  config: { model: 'secateur', limit: null },
  date: 1.8e9,
  total_evaluation_time_seconds: '3.5',
}
const place = 'parts/1-piqa'

/** The part of an evaluation, as its process leaves it, joined. */
export const parts: Target = {
  name: 'parts',
  seeds: () => [
    {
      [`${place}/result.json`]: json({ finished: '2026-01-01T00:00:00.000Z', outcome }),
      [`${place}/lm-eval.json`]: json(lmEval),
      [`${place}/rows.jsonl`]: lines({ task: 'piqa', index: 0 }, { task: 'piqa', index: 1 }),
      [`${place}/samples_piqa_lm-eval.jsonl`]: lines({ doc_id: 0 }, { doc_id: 1 }),
      [`${place}/predictions/result.piqa.json`]: json(predictions),
      [`${place}/predictions/dense.piqa.json`]: json(predictions),
      [`${place}/log.jsonl`]: lines({ time: 1, level: 'warning', message: 'odd' }),
    },
  ],
  read(folder, out) {
    const split = splitEvaluation(job, folder)
    const results = split.map(finishedResult)
    joinResults(results)
    for (const { job: part } of split) warningsOf(part.out)
    using files = new StagedFiles(() => true)
    const writes = [
      ...joinPredictions(out, results),
      joinRows(files, join(out, 'rows.jsonl'), results),
      ...joinLmEval(files, join(out, 'results.json'), results, true),
    ]
    for (const write of writes) write()
    files.commit()
  },
}
