import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlaygroundAnswer } from '../../../electron/contract/index.ts'
import { differences, isReadable } from '../../../renderer/src/components/differences.ts'
import {
  answerName,
  columnsOf,
  columnsText,
  distinct,
  runnersFor,
} from '../../../renderer/src/screens/playground/columns.ts'
import {
  draftOf,
  emptyDraft,
  entryOf,
  factsText,
  probabilityText,
  queryOf,
  settingsOf,
  tokenName,
} from '../../../renderer/src/screens/playground/draft.ts'
import { ranText, runnerOf, runnerOptions, runnerValue } from '../../../renderer/src/screens/playground/runners.ts'

const auto = (checkpoint: number) => ({ checkpoint, runner: { runner: 'auto' as const } })
const answer = (checkpointId: number, checkpointName: string, value: string): PlaygroundAnswer => ({
  checkpointId,
  checkpointName,
  runner: runnerOf(value),
  state: 'done',
  texts: [''],
  loaded: null,
  problem: null,
  facts: null,
})
const entry = (query: string) => entryOf(new URLSearchParams(query))

test('settings come out of the form as they went in', () => {
  const draft = { ...emptyDraft(), stop: String.raw`\nQ:` + '\n\nEND', likelihoods: true, temperature: 0 }
  const settings = settingsOf(draft)
  assert.deepEqual(settings.stop, ['\nQ:', 'END'])
  assert.equal(settings.alternatives, 5)
  assert.deepEqual(settingsOf(draftOf(settings)), settings)
  assert.equal('alternatives' in settingsOf(emptyDraft()), false)
})

test('an address names a question before all else, and what is shown is found again', () => {
  assert.deepEqual(entry('question=4&checkpoints=1,2'), { question: 4 })
  assert.deepEqual(entry('checkpoint=3'), { beside: { checkpoint: 3 } })
  assert.deepEqual(entry('run=3'), { beside: { run: 3 } })
  assert.deepEqual(entry('checkpoints=1,2,3,4,5'), { columns: [1, 2, 3, 4].map(auto) })
  assert.equal(entry('checkpoints=x'), null)
  assert.deepEqual(queryOf([auto(1), auto(2)], undefined), {
    question: null,
    checkpoints: '1,2',
    checkpoint: null,
    run: null,
  })
  assert.equal(queryOf([auto(1)], 7)['question'], 7)
})

test('a checkpoint answers in several types, each once, and its columns are found again', () => {
  const columns = columnsOf('3.f16,3.q4_k_m,4,x,5.secateur')
  assert.equal(columnsText(columns), '3.f16,3.q4_k_m,4,5.secateur')
  assert.deepEqual(columns[1], { checkpoint: 3, runner: { runner: 'llama.cpp', type: 'q4_k_m' } })
  // What repeats another column is given another way, until there is none left.
  assert.equal(columnsText(distinct(columnsOf('3').flatMap((one) => [one, one, one]))), '3,3.q4_k_m,3.q8_0')
  const all = distinct(Array.from({ length: 9 }, () => columns[0]!))
  assert.equal(columnsText(all), '3.f16,3,3.q4_k_m,3.q8_0,3.secateur')
  assert.deepEqual(
    runnersFor(columns, 0).flatMap((option) => ('disabled' in option ? [option.value] : [])),
    ['q4_k_m'],
  )
})

test('answers of one checkpoint are called by what was to run them', () => {
  const answers = [answer(1, 'a', 'f16'), answer(1, 'a', 'q4_k_m'), answer(2, 'b', 'auto')]
  assert.deepEqual(
    answers.map((each) => answerName(answers, each)),
    ['a, F16', 'a, Q4_K_M', 'b'],
  )
})

test('what is told of an answer says its speed, and a token what cannot be seen of it', () => {
  const facts = {
    promptTokens: 4,
    tokens: 20,
    promptSeconds: 0.1,
    generationSeconds: 2,
    firstSeconds: 0.25,
    loadSeconds: 0,
    ended: 'limit' as const,
  }
  const text = factsText(facts)
  assert.match(text, /^20 tokens · 10 tokens\/s · first after .* · ended at max new tokens$/)
  assert.match(factsText({ ...facts, loadSeconds: 3 }), /loaded in 3/)
  assert.equal(tokenName(' a\n'), '␣a↵')
  assert.equal(probabilityText(Math.log(0.25)), '25%')
  assert.equal(probabilityText(-12), '<0.001%')
})

test('what ran an answer is said with its type, how near it is, and why not the other', () => {
  for (const { value, choice } of runnerOptions) {
    assert.equal(runnerValue(choice), value)
    assert.deepEqual(runnerOf(value), choice)
  }
  const ran = { name: 'llama.cpp v1', runner: 'llama.cpp', type: 'q8_0', device: 'processor', threads: 1 } as const
  const proof = { texts: 8, tokens: 700, worst: 0.2, mean: 0.01234 }
  assert.equal(
    ranText({ ...ran, proof, why: null }),
    "llama.cpp v1, Q8_0, 1 thread; log-probabilities within 0.012 of Secateur's on average",
  )
  const own = { ...ran, name: 'Secateur (onnx)', runner: 'secateur', type: 'bfloat16', proof: null } as const
  assert.equal(
    ranText({ ...own, why: 'it is not installed' }),
    'Secateur (onnx), bfloat16, 1 thread. Not on llama.cpp: it is not installed',
  )
})

test('differences are marked where texts share enough for them to be read', () => {
  assert.equal(isReadable(differences('The rain in Spain', 'The rain in Portugal')), true)
  assert.equal(isReadable(differences('same', 'same')), true)
  assert.equal(isReadable(differences('one two three', 'vier fünf sechs')), false)
})
