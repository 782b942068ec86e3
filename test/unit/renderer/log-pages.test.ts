import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogLine } from '../../../electron/contract/index.ts'
import { LogPages } from '../../../renderer/src/screens/run/log-pages.ts'

const line = (id: number, level: LogLine['level'] = 'info'): LogLine => ({ id, time: id, level, message: `${id}` })
const from = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => line(first + at))

/** Pages of a log whose questions are answered when the test says so. */
function start() {
  const asked: { level: string | undefined; answer: (lines: LogLine[]) => void }[] = []
  const pages = new LogPages(
    ({ level }) => new Promise((answer) => asked.push({ level, answer })),
    () => {},
  )
  const ids = () => pages.shown.lines.map(({ id }) => id)
  return { asked, pages, ids }
}

test('another level that is chosen is shown, though earlier lines are asked for before it has come', async () => {
  const { asked, pages, ids } = start()
  const reading = [pages.read()]
  asked[0]!.answer(from(201, 400))
  await reading[0]
  assert.equal(pages.shown.begins, false)
  reading.push(pages.read('warnings'), pages.readEarlier())
  assert.deepEqual(
    asked.map(({ level }) => level),
    ['all', 'warnings', 'all'],
  )
  asked[1]!.answer([line(7, 'warning')])
  asked[2]!.answer(from(1, 200))
  await Promise.all(reading)
  assert.deepEqual([pages.shown.level, ids(), pages.shown.begins], ['warnings', [7], true])
})

test('earlier lines that come first are there, and give way to the other level; none come twice', async () => {
  const { asked, pages, ids } = start()
  const first = pages.read()
  asked[0]!.answer(from(201, 400))
  await first
  const earlier = [pages.readEarlier(), pages.readEarlier()]
  const level = pages.read('warnings')
  asked[1]!.answer(from(1, 200))
  asked[2]!.answer(from(1, 200))
  await Promise.all(earlier)
  assert.deepEqual(
    ids(),
    Array.from({ length: 400 }, (_, at) => at + 1),
  )
  pages.add([line(401, 'error'), line(402)])
  asked[3]!.answer([line(7, 'warning')])
  await level
  assert.deepEqual(ids(), [7, 401])
})
