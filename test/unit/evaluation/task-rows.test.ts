import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { capitalize, lengthInCodePoints, strip } from '../../../engine/evaluation/python-text.ts'
import { readTask } from '../../../engine/evaluation/read-task.ts'
import type { TaskName } from '../../../engine/contract/index.ts'
import { tasks } from '../../../engine/evaluation/tasks/index.ts'

let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secateur-tasks-'))
})
after(() => rm(folder, { recursive: true }))

const write = async (name: string, rows: unknown[], separator = '\n') => {
  const file = join(folder, name)
  await writeFile(file, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join(separator))
  return file
}

const piqa = { goal: 'g', sol1: 'a', sol2: 'b', label: 1 }
const boolq = { question: 'is it', passage: 'It is.', answer: true }
const hellaswag = { activity_label: 'A', ctx_a: 'One.', ctx_b: 'two', endings: ['x', 'y', 'z', 'w'], label: 2 }
const winogrande = { sentence: 'The _ fell.', option1: 'cup', option2: 'jar', answer: '1' }
const arc = { question: 'q', choices: { text: ['a', 'b'], label: ['A', 'B'] }, answerKey: 'B' }

test('a title in the layout of Google goes in front of the passage, as SuperGLUE has it', () => {
  const { contexts, gold } = tasks.boolq.parse({ ...boolq, title: 'Thing' })
  assert.equal(contexts[0], 'Thing -- It is.\nQuestion: is it?\nAnswer:')
  assert.equal(gold, 1)
})

test('labels may be numbers, texts or truth values', () => {
  assert.equal(tasks.hellaswag.parse({ ...hellaswag, label: '3' }).gold, 3)
  assert.equal(tasks.boolq.parse({ question: 'q', passage: 'p', label: 0 }).gold, 0)
  assert.equal(tasks.boolq.parse({ question: 'q', passage: 'p', label: false }).gold, 0)
  assert.equal(tasks.winogrande.parse({ ...winogrande, answer: '2' }).gold, 1)
  const numbered = { ...arc, choices: { text: ['a', 'b', 'c'], label: ['1', '2', '3'] }, answerKey: '3' }
  assert.equal(tasks.arc_easy.parse(numbered).gold, 2)
  const stem = { question_stem: 's', choices: arc.choices, answerKey: ' B\n' }
  assert.deepEqual(tasks.openbookqa.parse(stem), { contexts: ['s', 's'], choices: ['a', 'b'], gold: 1 })
})

test('HellaSwag texts are cleaned in the order of the harness', () => {
  const { contexts, choices } = tasks.hellaswag.parse({
    ...hellaswag,
    ctx_a: 'First step.  Then   wait. [title] Next one',
    ctx_b: 'THE Man',
    endings: ['[substeps] Go on. ', ' , he said', 'a [step] b [x\ny]', ''],
  })
  assert.equal(contexts[0], 'A: First step. Then  wait.. Next one The man')
  assert.deepEqual(choices, [' Go on.', ', he said', 'a b [x\ny]', ''])
  assert.equal(tasks.hellaswag.parse({ ...hellaswag, ctx_b: '' }).contexts[0], 'A: One.')
})

test('WinoGrande keeps a space before punctuation that follows the blank', () => {
  const { contexts, choices } = tasks.winogrande.parse({ ...winogrande, sentence: 'He took the _ .' })
  assert.deepEqual(contexts, ['He took the cup', 'He took the jar'])
  assert.deepEqual(choices, ['.', '.'])
})

// Expected values printed by CPython 3.11.7.
test('texts are stripped, capitalised and counted as Python does', () => {
  assert.equal(strip('\ufeff a\x1c\x85\u3000'), '\ufeff a')
  assert.equal(capitalize('élan VITAL'), 'Élan vital')
  assert.equal(capitalize('ßA'), 'Ssa')
  assert.equal(capitalize(''), '')
  assert.equal(lengthInCodePoints('a😀e\u0301'), 4)
})

test('PIQA takes its labels from the file beside, whose lines must be as many as rows', async () => {
  const { label: _, ...bare } = piqa
  const file = await write('valid.jsonl', [bare, bare, bare])
  await write('valid-labels.lst', ['1', '0', '1', ''])
  assert.deepEqual(
    (await readTask('piqa', file)).map(({ gold }) => gold),
    [1, 0, 1],
  )
  await write('valid-labels.lst', ['1', '0'])
  await assert.rejects(
    readTask('piqa', file),
    /valid-labels\.lst: holds 2 labels, but valid\.jsonl has more than 2 rows/,
  )
  await write('valid-labels.lst', ['1', '0', '1', '1'])
  await assert.rejects(readTask('piqa', file), /valid-labels\.lst: holds 4 labels, but valid\.jsonl has 3 rows/)
  await write('valid-labels.lst', ['1', 'no', '1'])
  await assert.rejects(
    readTask('piqa', file),
    /valid\.jsonl: line 2, label: must be a whole number from 0 to 1, not "no"/,
  )
})

test('test splits without answers are refused', async () => {
  const { label: _, ...tests } = piqa
  const unlabelled: [TaskName, Record<string, unknown>, RegExp][] = [
    ['piqa', { ...piqa, label: -1 }, /line 1, label: holds no answer: a test split/],
    ['piqa', tests, /line 1, label: is missing, and no file of labels/],
    ['boolq', { question: 'q', passage: 'p' }, /line 1, answer: holds no answer/],
    ['boolq', { question: 'q', passage: 'p', label: -1 }, /line 1, label: holds no answer/],
    ['hellaswag', { ...hellaswag, label: '' }, /line 1, label: holds no answer/],
    ['winogrande', { ...winogrande, answer: '' }, /line 1, answer: holds no answer/],
    ['arc_easy', { ...arc, answerKey: '' }, /line 1, answerKey: holds no answer/],
  ]
  for (const [name, row, message] of unlabelled) {
    await assert.rejects(readTask(name, await write(`unlabelled-${name}.jsonl`, [row])), message)
  }
})

test('a malformed row is named by file, line and field', async () => {
  const wrong: [TaskName, Record<string, unknown>, unknown, RegExp][] = [
    ['piqa', piqa, { ...piqa, sol2: undefined }, /line 4, sol2: is missing; a row has the fields goal, sol1, sol2/],
    ['piqa', piqa, { ...piqa, goal: 3 }, /line 4, goal: .*must be text/],
    ['hellaswag', hellaswag, { ...hellaswag, endings: ['a', 1] }, /line 4, endings\.1: /],
    ['hellaswag', hellaswag, { ...hellaswag, label: 4 }, /line 4, label: must be a whole number from 0 to 3, not 4/],
    ['winogrande', winogrande, { ...winogrande, sentence: 'no gap' }, /line 4, sentence: has no blank/],
    ['winogrande', winogrande, { ...winogrande, answer: '3' }, /line 4, answer: must be a whole number from 1 to 2/],
    ['boolq', boolq, { ...boolq, answer: 'yes' }, /line 4, answer: must be true or false, not "yes"/],
    ['arc_easy', arc, { ...arc, answerKey: 'E' }, /line 4, answerKey: is "E", but the choices are A, B/],
    [
      'arc_easy',
      arc,
      { ...arc, choices: { text: ['a', 'b'], label: ['A'] } },
      /line 4, choices: has 2 texts but 1 labels/,
    ],
    [
      'arc_challenge',
      arc,
      { question: { stem: 's', choices: [{ text: 'a' }, {}] } },
      /line 4, question\.choices\.0\.label/,
    ],
    ['openbookqa', { question_stem: 's', choices: arc.choices, answerKey: 'A' }, boolq, /line 4, question/],
  ]
  for (const [name, good, bad, message] of wrong) {
    // A blank line and CRLF: neither may shift the number.
    const file = await write(`wrong-${name}.jsonl`, [good, '', good, bad], '\r\n')
    await assert.rejects(readTask(name, file), message)
  }
  await assert.rejects(
    readTask('piqa', await write('empty.jsonl', ['', ''])),
    /empty\.jsonl: holds no rows; a row of PIQA/,
  )
})
