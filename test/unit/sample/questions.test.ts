import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { heldOutQuestions, tasks, type Task } from '../../../scripts/make-sample/questions/tasks.ts'
import { files, sampleSeed } from '../../../scripts/make-sample/recipe.ts'
import { paragraphsOf, trainingText, unseenParagraphs } from '../../../scripts/make-sample/training-text.ts'
import { makeWorld } from '../../../scripts/make-sample/world/world.ts'

const world = makeWorld(sampleSeed)
const documents = [
  ...trainingText(sampleSeed),
  ...trainingText(sampleSeed, { documents: files.healingDocuments, part: 'healing' }),
]
const blocks = new Set(documents.flatMap((document) => document.split(/\n{2,}/)))
const lines = new Set(documents.flatMap((document) => document.split('\n')))

const questionsOf = (task: Task) => heldOutQuestions(world, task, files.questionsPerTask)

/** Choices and gold of a row of any task, read as the official files are. */
function choicesOf(
  task: Task,
  row: Readonly<Record<string, unknown>>,
  label?: string,
): { texts: string[]; gold: number } {
  const fields = row as Record<string, string> & { endings: string[]; label: number; answer: unknown }
  if (task.name === 'boolq') return { texts: ['no', 'yes'], gold: fields.answer === true ? 1 : 0 }
  if (task.name === 'piqa') return { texts: [fields['sol1']!, fields['sol2']!], gold: Number(label) }
  if (task.name === 'hellaswag') return { texts: fields.endings, gold: fields.label }
  if (task.name === 'winogrande') {
    return { texts: [fields['option1']!, fields['option2']!], gold: Number(fields.answer) - 1 }
  }
  const { choices } = row['question'] as { choices: { text: string; label: string }[] }
  return {
    texts: choices.map(({ text }) => text),
    gold: choices.findIndex((choice) => choice.label === row['answerKey']),
  }
}

for (const task of tasks) {
  test(`${task.name}: no question stands in the training or healing text with its answer`, () => {
    for (const { text } of questionsOf(task)) assert.ok(!blocks.has(text), text)
  })

  test(`${task.name}: right answers stand at each place equally often, among different choices`, () => {
    const places = Array.from({ length: task.choices }, () => 0)
    for (const { row, label } of questionsOf(task)) {
      const { texts, gold } = choicesOf(task, row, label)
      assert.equal(texts.length, task.choices)
      assert.equal(new Set(texts).size, texts.length, texts.join(' / '))
      places[gold]!++
    }
    assert.deepEqual(
      places,
      Array.from(places, () => files.questionsPerTask / task.choices),
    )
  })

  const official = officialFile(task)
  test(`${task.name}: rows have the official fields`, { skip: official ? false : 'no official file here' }, () => {
    const expected = fieldsOf(JSON.parse(readFileSync(official!, 'utf8').split('\n', 1)[0]!) as object)
    // Ids that some distributions of the files lack, and no scorer reads.
    const optional = new Set(['id', 'qID'])
    for (const { row } of questionsOf(task)) {
      assert.deepEqual(
        fieldsOf(row).filter((field) => !optional.has(field)),
        expected.filter((field) => !optional.has(field)),
      )
    }
  })
}

test('what ARC and PIQA ask is not asked in training, whatever the answer', () => {
  for (const task of tasks.filter(({ name }) => /^(arc|piqa)/.test(name))) {
    for (const { text } of questionsOf(task)) {
      const asked = text.split('\n')[0]!
      // Which thing melts is asked of many things; the thing is what is held out.
      if (!asked.startsWith('Question: Which of these')) assert.ok(!lines.has(asked), asked)
    }
  }
})

test('right answers are not longer or shorter than wrong ones', () => {
  for (const task of tasks.filter(({ choices }) => choices === 4)) {
    const ranks = questionsOf(task).map(({ row }) => {
      const { texts, gold } = choicesOf(task, row)
      const shorter = texts.filter((text) => text.length < texts[gold]!.length).length
      const asLong = texts.filter((text) => text.length === texts[gold]!.length).length - 1
      return (shorter + asLong / 2) / (texts.length - 1)
    })
    const mean = ranks.reduce((sum, rank) => sum + rank, 0) / ranks.length
    assert.ok(Math.abs(mean - 0.5) < 0.12, `${task.name}: mean rank by length ${mean}`)
  }
})

test('held-out paragraphs are unseen', () => {
  const seen = new Set(documents.flatMap(paragraphsOf))
  for (const paragraph of unseenParagraphs(sampleSeed, seen, 20_000)) {
    assert.ok(!seen.has(paragraph))
    assert.ok(!paragraph.includes('\n'))
  }
})

test('the text is well formed: no place left unfilled, no wrong article', () => {
  for (const document of documents.slice(0, 5000)) {
    assert.doesNotMatch(document, /[{}]|undefined|\ba [aeiou]|\ban [^aeiou]| {2}|\b(\w+) \1\b/, document)
  }
})

test('another seed makes another world', () => {
  assert.notDeepEqual(makeWorld(sampleSeed + 1).subjects.person[0], world.subjects.person[0])
})

const fieldsOf = (row: object) => Object.keys(row).toSorted()

function officialFile(task: Task): string | null {
  const name = task.file.replace('hellaswag_val', 'hellaswag_val_1000')
  const file = path.join(import.meta.dirname, '../../../../shared/data', name)
  return existsSync(file) ? file : null
}
