import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lengthInCodePoints } from '../../../engine/evaluation/python-text.ts'
import { readTask } from '../../../engine/evaluation/read-task.ts'
import { taskDescriptions, type TaskName, taskNames } from '../../../engine/contract/index.ts'
import type { TaskRow } from '../../../engine/evaluation/tasks/task.ts'
import { data, needsData, readOracle, readWorkedExamples, type SevenTask, taskFiles } from './shared.ts'

const remembered = new Map<string, ReturnType<typeof readTask>>()
const read = (name: TaskName, file: string = taskFiles[name as SevenTask]) => {
  const rows = remembered.get(file) ?? readTask(name, file)
  remembered.set(file, rows)
  return rows
}

const keyOf = (row: TaskRow) => JSON.stringify(row)

const continuations = (choices: string[]) => choices.map((choice) => ` ${choice}`)

test('every official file is read to its last row', needsData, async () => {
  const counts: [TaskName, string, number][] = [
    ['boolq', taskFiles.boolq, 3270],
    ['boolq', data('boolq/superglue_val_300.jsonl'), 300],
    ['piqa', taskFiles.piqa, 1838],
    ['hellaswag', taskFiles.hellaswag, 1000],
    ['winogrande', taskFiles.winogrande, 1267],
    ['winogrande', data('winogrande/unverified_original_layout_1267.jsonl'), 1267],
    ['arc_easy', taskFiles.arc_easy, 2376],
    ['arc_easy', data('arc/ARC-Easy-Dev.jsonl'), 570],
    ['arc_challenge', taskFiles.arc_challenge, 1170],
    ['arc_challenge', data('arc/ARC-Challenge-Dev.jsonl'), 299],
    ['arc_challenge', data('arc/arc_challenge_test.hf.jsonl'), 1172],
    ['openbookqa', taskFiles.openbookqa, 500],
  ]
  for (const [name, file, count] of counts) {
    const rows = await read(name, file)
    assert.equal(rows.length, count, file)
    for (const { contexts, choices, gold } of rows) {
      assert.equal(contexts.length, choices.length)
      assert.ok(choices[gold] !== undefined, file)
    }
  }
})

test('rows 300 to 304 of every task are the strings of the oracle', needsData, async () => {
  for (const { task, rows } of readOracle().results) {
    const parsed = await read(task)
    for (const { row, gold, requests, char_lengths } of rows) {
      const { contexts, choices, gold: parsedGold } = parsed[row]!
      assert.deepEqual(
        contexts,
        requests.map(({ context }) => context),
      )
      assert.deepEqual(
        continuations(choices),
        requests.map(({ continuation }) => continuation),
      )
      assert.equal(parsedGold, gold)
      if (char_lengths) assert.deepEqual(choices.map(lengthInCodePoints), char_lengths)
      assert.equal(char_lengths !== undefined, taskDescriptions[task].normalised)
    }
  }
})

test('the worked examples of the specification come out to the letter', needsData, async () => {
  const examples = readWorkedExamples()
  assert.equal(examples.length, 14)
  for (const { task, row, gold, contexts, continuations: expected, lengths } of examples) {
    const parsed = (await read(task))[row]!
    assert.ok(contexts.length > 0 && expected.length > 1)
    assert.deepEqual([...new Set(parsed.contexts)], contexts, `${task} ${row}`)
    assert.deepEqual(continuations(parsed.choices), expected, `${task} ${row}`)
    assert.equal(parsed.gold, gold)
    if (lengths.length > 0) assert.deepEqual(parsed.choices.map(lengthInCodePoints), lengths)
  }
})

test('the layouts of Hugging Face give the rows of the original files', needsData, async () => {
  const files: [TaskName, string, number][] = [
    ['boolq', 'boolq_google_validation_100', 100],
    ['boolq', 'boolq_superglue_validation_100', 100],
    ['piqa', 'piqa_validation_200', 200],
    ['hellaswag', 'hellaswag_validation_200', 200],
    ['winogrande', 'winogrande_xl_validation_200', 200],
    ['arc_easy', 'arc_easy_test_200', 200],
    ['openbookqa', 'openbookqa_main_test_200', 200],
  ]
  for (const [name, file, count] of files) {
    const rows = await read(name, data(`parquet/${file}.parquet`))
    assert.deepEqual(rows, (await read(name)).slice(0, count), file)
  }
  const lists = new Set((await read('arc_challenge', data('arc/arc_challenge_test.hf.jsonl'))).map(keyOf))
  for (const row of await read('arc_challenge')) assert.ok(lists.has(keyOf(row)), row.contexts[0])
})

test(
  'about one in twenty-five rows of ARC-Easy counts its choices with numbers, and some have three or five',
  needsData,
  async () => {
    const rows = await read('arc_easy')
    const sizes = new Set(rows.map(({ choices }) => choices.length))
    assert.deepEqual([...sizes].sort(), [3, 4, 5])
  },
)

test('the registry names the tasks and the metrics that papers show', () => {
  assert.equal(taskNames.length, 10)
  const normalised = taskNames.filter((name) => taskDescriptions[name].published === 'accNorm')
  assert.deepEqual(normalised, ['hellaswag', 'arc_challenge', 'openbookqa'])
  assert.deepEqual(
    taskNames.filter((name) => !taskDescriptions[name].normalised),
    ['boolq', 'winogrande', 'mmlu', 'lambada_openai', 'lambada_standard'],
  )
})
