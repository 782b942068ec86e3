import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { z } from 'zod'
import { evaluateSchema } from '../../../engine/contract/index.ts'
import { evaluate } from '../../../engine/jobs/evaluate.ts'

const root = join(import.meta.dirname, '../../..')
const files = join(root, 'test/fixtures/tasks')
const folder = mkdtempSync(join(tmpdir(), 'secateur-lm-eval-'))
after(() => rmSync(folder, { recursive: true }))

const asked = z.array(z.object({ context: z.string(), responses: z.array(z.tuple([z.number(), z.boolean()])) }))
const harness = z
  .record(z.string(), z.object({ asked }))
  .parse(JSON.parse(readFileSync(join(files, 'lm-eval.json'), 'utf8')))
const read = (name: string) => readFileSync(join(folder, name), 'utf8')
const sample = z.object({
  doc_id: z.int(),
  arguments: z.record(z.string(), z.object({ arg_0: z.string(), arg_1: z.string() })),
  resps: z.array(z.array(z.tuple([z.string(), z.enum(['True', 'False'])]))),
})

test('a job writes results and rows as lm-eval does, with the answers that lm-eval’s model gave', async () => {
  const evaluation = {
    tasks: {
      mmlu: join(files, 'mmlu'),
      lambada_openai: join(files, 'lambada.jsonl'),
      own_quiz: join(files, 'own/quiz.json'),
    },
    predictions: join(folder, 'rows.jsonl'),
    lmEvalJson: join(folder, 'results_1.json'),
  }
  const model = join(root, 'resources/sample/model')
  const job = evaluateSchema.parse({ kind: 'evaluate', checkpoint: model, device: 'onnx', threads: 1, evaluation })
  const { signal } = new AbortController()
  const { tasks } = await evaluate(job, { emit: () => {}, signal, resume: false })
  const subjects = ['anatomy', 'philosophy', 'virology', 'world_religions'].map((name) => `mmlu_${name}`)
  const samples = [...subjects, 'lambada_openai', 'own_quiz'].map((name) => `samples_${name}_1.jsonl`)
  assert.deepEqual(readdirSync(folder).toSorted(), ['results_1.json', 'rows.jsonl', ...samples].toSorted())
  const results = z
    .looseObject({ results: z.record(z.string(), z.looseObject({ 'acc,none': z.number() })) })
    .parse(JSON.parse(read('results_1.json')))
  assert.deepEqual(
    ['mmlu', 'lambada_openai', 'own_quiz'].map((name) => results.results[name]!['acc,none']),
    Object.values(tasks!).map(({ acc }) => acc),
  )
  assert.deepEqual(results['n-shot'], {
    mmlu: 5,
    mmlu_stem: 5,
    mmlu_other: 5,
    mmlu_humanities: 5,
    ...Object.fromEntries(subjects.map((name) => [name, 5])),
    lambada_openai: 0,
    own_quiz: 2,
  })
  const expected = ['mmlu', 'lambada_openai', 'own_quiz'].flatMap((name) => harness[name]!.asked)
  const lines = samples.flatMap((name) => read(name).trim().split('\n'))
  assert.equal(lines.length, expected.length)
  for (const [at, line] of lines.entries()) {
    const { arguments: of, resps } = sample.parse(JSON.parse(line))
    assert.equal(of['gen_args_0']!.arg_0, expected[at]!.context)
    for (const [choice, [[value, greedy]]] of (resps as [[string, string]][]).entries()) {
      const [theirs, isGreedy] = expected[at]!.responses[choice]!
      assert.ok(Math.abs(Number(value) - theirs) < 1e-4, `${value} is ${theirs} there`)
      assert.equal(greedy === 'True', isGreedy)
    }
  }
})
