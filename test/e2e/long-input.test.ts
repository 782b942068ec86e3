import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { sample, secateur, temporaryFolder } from './secateur.ts'

const folder = temporaryFolder()
const model = sample('model')
const pipe = join(folder, 'pipe.jsonl')
const noPipes = process.platform === 'win32' && 'Windows has no such pipes'

/** Ends a command by Ctrl-C while it reads, and says how long it went on: in milliseconds. */
async function stopWhileReading(args: string[]): Promise<{ code: number | null; stderr: string; waited: number }> {
  let stopped = 0
  const { code, stderr } = await secateur([...args, '--json'], (line, kill) => {
    if (stopped > 0 || !line.startsWith(`{"type":"estimate"`)) return
    stopped = Infinity
    setTimeout(() => {
      stopped = performance.now()
      kill('SIGINT')
    }, 1500)
  })
  return { code, stderr, waited: performance.now() - stopped }
}

const longLine = 'a line that never ends, '.repeat(30e6 / 24)

test('Ctrl-C ends what reads a line of 30 MB within two seconds', async () => {
  const text = join(folder, 'long.txt')
  writeFileSync(text, longLine)
  const prune = ['prune', model, '--data', text, '--steps', '2', '--device', 'onnx', '--out', join(folder, 'long')]
  const evaluate = ['eval', model, '--perplexity', `long=${text}`, '--device', 'onnx']
  for (const { code, stderr, waited } of await Promise.all([prune, evaluate].map(stopWhileReading))) {
    assert.equal(code, 130, stderr)
    assert.ok(waited < 2000, `it went on for ${waited} ms`)
  }
})

test('a named pipe is refused at once wherever a file is wanted', { skip: noPipes }, async () => {
  execFileSync('mkfifo', [pipe])
  const prune = ['prune', model, '--steps', '2', '--device', 'onnx', '--out', join(folder, 'piped'), '--data']
  const cases = [
    [...prune, pipe],
    ['inspect', pipe],
    ['eval', model, '--task', `piqa=${pipe}`],
    ['eval', model, '--perplexity', `held=${sample('heldout.txt')}`, '--max-windows', '1', '--predictions', pipe],
  ]
  const ran = await Promise.all(cases.map((args) => secateur(args)))
  for (const [at, { code, stderr }] of ran.entries())
    assert.ok(
      code !== 0 && code !== null && stderr.includes(pipe) && /named pipe, not a file/.test(stderr),
      `${cases[at]!.join(' ')}: ${code} ${stderr}`,
    )
})
