import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { z } from 'zod'
import { evaluationSchema } from '../../../engine/contract/index.ts'
import { evaluationProblems } from '../../../engine/evaluation/check-evaluation.ts'
import { resultParts } from '../../../engine/evaluation/lm-eval/results.ts'
import { sampleOf } from '../../../engine/evaluation/lm-eval/samples.ts'
import { scoreTask } from '../../../engine/evaluation/likelihood.ts'
import { openTask } from '../../../engine/evaluation/open-task.ts'
import { askedRows } from '../../../engine/evaluation/plan.ts'
import { readTask } from '../../../engine/evaluation/read-task.ts'
import { pairEncoder } from '../../../engine/evaluation/requests.ts'
import type { GreedyScoringModel, LikelihoodItem } from '../../../engine/evaluation/scoring-model.ts'
import { loadTokenizer } from '../../../engine/tokenizer/tokenizer.ts'

const root = join(import.meta.dirname, '../../..')
const files = join(root, 'test/fixtures/tasks')
const { signal } = new AbortController()

const asked = z.object({
  context: z.string(),
  continuations: z.array(z.string()),
  responses: z.array(z.tuple([z.number(), z.boolean()])),
})
const harness = z
  .record(
    z.string(),
    z.object({ results: z.record(z.string(), z.record(z.string(), z.unknown())), asked: z.array(asked) }),
  )
  .parse(JSON.parse(readFileSync(join(files, 'lm-eval.json'), 'utf8')))
const taskFiles: Record<string, string> = {
  mmlu: join(files, 'mmlu'),
  lambada_openai: join(files, 'lambada.jsonl'),
  own_quiz: join(files, 'own/quiz.json'),
}

const folder = mkdtempSync(join(tmpdir(), 'secateur-tasks-'))
after(() => rmSync(folder, { recursive: true }))

const open = (name: string, settings: object = {}, file = taskFiles[name]!) =>
  openTask(name, evaluationSchema.parse({ tasks: { [name]: file }, ...settings }), signal)

const tokenizer = loadTokenizer(join(root, 'resources/sample/model'))

/** Answers as lm-eval's model did, by the tokens of what was asked, and fails on any other. */
async function replay(rows: readonly z.infer<typeof asked>[]): Promise<GreedyScoringModel> {
  const encode = pairEncoder(await tokenizer, 'modern')
  const known = new Map(
    rows.flatMap(({ context, continuations, responses }) =>
      continuations.map((continuation, at) => {
        const ids = encode(context, continuation)
        return [[...ids.context, ...ids.continuation].join(), { count: ids.continuation.length, found: responses[at]! }]
      }),
    ),
  )
  const answer = <T>(items: readonly LikelihoodItem[], of: (found: [number, boolean], last: boolean) => T) =>
    items.map(({ prefix, suffixes }) =>
      suffixes.map((suffix) => {
        const asks = known.get([...prefix, ...suffix].join())
        assert.ok(asks, 'asks what the harness does not')
        return suffix.map((_, at) => of(asks.found, at === suffix.length - 1))
      }),
    )
  const logLikelihoods = (items: readonly LikelihoodItem[]) => answer(items, ([value], last) => (last ? value : 0))
  return {
    maxLength: 512,
    vocabularySize: 4096,
    logLikelihoods: async (items) => logLikelihoods(items),
    greedyLikelihoods: async (items) => ({
      logLikelihoods: logLikelihoods(items),
      likeliest: answer(items, ([, greedy], last) => greedy || !last),
    }),
  }
}

/** Figures as far as they are the same in any order of sums. */
const rounded = (metrics: object) =>
  Object.fromEntries(
    Object.entries(metrics).map(([key, value]) => [key, typeof value === 'number' ? value.toFixed(12) : value]),
  )

for (const name of Object.keys(taskFiles))
  test(`${name} asks what lm-eval asks, and makes its scores of the same answers`, async () => {
    const { asked: expected, results } = harness[name]!
    const { task, rows, shots } = await open(name)
    const requests = [...askedRows(task, rows, { shots })].map(({ requests: of }) => ({
      context: of[0]!.context,
      continuations: of.map(({ continuation }) => continuation),
    }))
    assert.deepEqual(
      requests,
      expected.map(({ context, continuations }) => ({ context, continuations })),
    )
    const score = await scoreTask(await replay(expected), await tokenizer, task, rows, { shots })
    const { results: written } = resultParts([{ name, score, file: taskFiles[name]!, config: null }])
    assert.deepEqual(Object.keys(written).toSorted(), Object.keys(results).toSorted())
    for (const [part, theirs] of Object.entries(results)) {
      // The harness draws samples for this error.
      const { 'perplexity_stderr,none': _, ...ours } = written[part]!
      const { 'perplexity_stderr,none': __, ...expectedOfPart } = theirs
      assert.deepEqual(rounded(ours), rounded(expectedOfPart))
    }
    const [first] = [...askedRows(task, rows, { shots })]
    const sample = sampleOf(0, task, rows[first!.index]!, first!, score.rows[0]!)
    assert.deepEqual(Object.keys(sample).slice(0, 5), ['doc_id', 'doc', 'target', 'arguments', 'resps'])
    assert.equal(score.answers.length, expected.length)
  })

test('MMLU is read from the layouts of the Hub too, and limits count by subject', async () => {
  const { rows } = await open('mmlu')
  const hub = join(folder, 'hub/all')
  mkdirSync(hub, { recursive: true })
  const lines = rows.map(({ contexts, choices, gold, part }) => {
    const [question, ...options] = contexts[0]!.replace(/\nAnswer:$/, '').split(/\n[A-D]\. /)
    return { question, subject: part, choices: options, answer: choices.indexOf(choices[gold]!) }
  })
  const file = join(hub, 'test.jsonl')
  writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const fromHub = await open('mmlu', { fewShot: 0 }, file)
  assert.deepEqual(fromHub.rows, rows)
  const limited = [...askedRows(fromHub.task, fromHub.rows, { limit: 2 })].map(({ index }) => rows[index]!.part)
  assert.deepEqual(
    limited,
    [...new Set(limited)].flatMap((part) => [part, part]),
  )
  await assert.rejects(open('mmlu', {}, file), /has no files of solved examples.*--few-shot-from mmlu=PATH/)
  renameSync(file, join(hub, 'dev.jsonl'))
  await assert.rejects(open('mmlu', {}, join(folder, 'hub')), /has no files to score: a folder of MMLU holds/)
  const oneSubject = await open('mmlu', {}, join(files, 'mmlu/data/test/virology_test.csv'))
  assert.deepEqual([oneSubject.rows.length, oneSubject.shots.examples?.length], [4, 5])
})

test('wrong rows of MMLU and LAMBADA are refused with file, line and field', async () => {
  const csv = join(folder, 'anatomy_test.csv')
  const rows = (text: string) => (writeFileSync(csv, text), readTask('mmlu', csv))
  await assert.rejects(rows('q,a,b,c,d,E\n'), /anatomy_test\.csv: line 1, answer: must be a whole number from 0 to 3/)
  await assert.rejects(rows('"q\n2",a,b,c,d,A\nq,a,b\n'), /line 3: has 3 columns; a row of MMLU/)
  await assert.rejects(rows('"q,a\n'), /line 1: holds a quote that is not closed/)
  assert.equal((await rows('"a ""b"" c",a,b,c,d,A\r\n\r\n'))[0]!.contexts[0]!.split('\n')[0], 'a "b" c')
  renameSync(csv, join(folder, 'knitting_test.csv'))
  await assert.rejects(readTask('mmlu', join(folder, 'knitting_test.csv')), /none of MMLU's 57 subjects/)
  const lambada = join(folder, 'lambada.jsonl')
  writeFileSync(lambada, '{"text":"one two"}\n{"text":"ends in a space "}\n')
  await assert.rejects(readTask('lambada_openai', lambada), /line 2, text: ends in a space/)
  await assert.rejects(
    open('lambada_openai', { fewShot: 2 }).then(() => problemsOf({ fewShot: 2 })),
    /without examples/,
  )
  await assert.rejects(open('mmlu', { mode: 'legacy' }), /today's lm-evaluation-harness does only/)
})

async function problemsOf(settings: object) {
  const evaluation = evaluationSchema.parse({ tasks: { lambada_openai: taskFiles['lambada_openai'] }, ...settings })
  const found = await evaluationProblems(evaluation, { tokenizer: await tokenizer, maxLength: 512 }, { signal })
  if (found[0]) throw found[0]
}

const base = {
  dataset_kwargs: { data_files: { test: 'q.jsonl' } },
  test_split: 'test',
  doc_to_text: 'question',
  doc_to_choice: 'choices',
  doc_to_target: 'answer',
}
const row = { question: 'Q?', choices: ['a', 'b'], answer: 1 }

function own(changes: object, rows: readonly object[] = [row]) {
  const file = join(folder, 'own.json')
  writeFileSync(file, JSON.stringify({ ...base, ...changes }))
  writeFileSync(join(folder, 'q.jsonl'), rows.map((each) => `${JSON.stringify(each)}\n`).join(''))
  return open('mine', {}, file)
}

const read = async (changes: object, rows?: object[]) => (await own(changes, rows)).rows[0]!

test('a task of one’s own takes fields by name, templates and lists', async () => {
  assert.deepEqual(await read({}), { contexts: ['Q?', 'Q?'], choices: ['a', 'b'], gold: 1, doc: row, target: '1' })
  const list = { doc_to_choice: "{{['it\\'s', choices[0] ~ '\\n\"']}}", doc_to_target: 0 }
  assert.deepEqual((await read(list)).choices, ["it's", 'a\n"'])
  assert.equal((await read({ doc_to_target: '{{choices[1]}}' })).gold, 1)
  assert.equal((await read({ doc_to_choice: ['no', 'yes'], doc_to_target: 'ok' }, [{ ...row, ok: true }])).gold, 1)
  // As lm-evaluation-harness renders: nothing is trimmed.
  assert.equal((await read({ doc_to_text: '{% if true %}\n{{question}}\n{% endif %}\n' })).contexts[0], '\nQ?\n\n')
})

const refused = (changes: object, message: RegExp, rows?: object[]) => assert.rejects(own(changes, rows), message)

test('what is wrong with a task file, or with a row by it, is told with file, row and field', async () => {
  await refused(
    { doc_to_text: '{{questoin}}' },
    /q\.jsonl: line 1, doc_to_text: cannot be rendered: 'questoin' is undefined/,
  )
  await refused(
    { doc_to_text: 'questoin' },
    /own\.json: doc_to_text: is "questoin", which is neither a field of the rows/,
  )
  await refused({ doc_to_text: '{{ question' }, /own\.json: doc_to_text: is no template/)
  await refused({ doc_to_text: '7{{1}}' }, /line 1, doc_to_text: comes to 71: a number would choose/)
  await refused({}, /line 2, answer: is missing, and doc_to_target is read from it/, [row, { ...row, answer: null }])
  await refused({}, /line 1, doc_to_target: is 2; it must be 0 to 1, or a choice/, [{ ...row, answer: 2 }])
  await refused({}, /line 1, doc_to_target: is "c", which is none of the 2 choices/, [{ ...row, answer: 'c' }])
  await refused({}, /line 1, doc_to_choice: choice 2 is empty/, [{ ...row, choices: ['a', ''] }])
  await refused({ doc_to_choice: '{{question}}' }, /line 1, doc_to_choice: must come to a list of texts, not to "Q\?"/)
  await refused(
    { doc_to_target: '{{choices.index(question)}}' },
    /doc_to_target: cannot be rendered: 'Q\?' is not in list/,
  )
  await refused({ doc_to_choice: "{{choices}} + ['c']" }, /has something after its list/)
  await refused({ process_docs: 'x' }, /own\.json: has a field that is not known: "process_docs"/)
  await refused({ output_type: 'generate_until' }, /output_type: must be multiple_choice/)
  await refused({ num_fewshot: 1 }, /fewshot_split: is missing/)
  await refused({ test_split: null }, /test_split: is missing/)
  await refused({ test_split: 'dev' }, /dataset_kwargs\.data_files\.dev: is missing; data_files has test/)
})

const at = (split: string) => ({ dataset_kwargs: { data_files: { test: split } } })

test('a task file reads nothing outside its folder, and its templates end', async () => {
  await assert.rejects(own(at('../q.jsonl')), /which is not in the folder of the task file/)
  await assert.rejects(own(at(join(folder, 'q.jsonl'))), /which is not in the folder of the task file/)
  mkdirSync(join(folder, 'inner'))
  cpSync(join(folder, 'own.json'), join(folder, 'inner/own.json'))
  symlinkSync(join(folder, 'q.jsonl'), join(folder, 'inner/q.jsonl'))
  writeFileSync(join(folder, 'inner/own.json'), JSON.stringify(base))
  await assert.rejects(open('mine', {}, join(folder, 'inner/own.json')), /not in the folder of the task file/)
  const loop = '{% for a in range(400) %}{% for b in range(400) %}{{a}}{% endfor %}{% endfor %}'
  await assert.rejects(own({ doc_to_text: loop }), /cannot be rendered: takes more than 100000 steps/)
  await assert.rejects(own({ doc_to_text: "{{ 'a' * 999999999 }}" }), /a repetition of more than/)
  await assert.rejects(open('mine', {}, join(folder, 'q.jsonl')), /mine is no task that Secateur knows by name/)
})
