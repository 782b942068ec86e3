import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import {
  evaluationSchema,
  exportGgufSchema,
  finetuneSchema,
  mergeSchema,
  pruneSchema,
  speedSchema,
} from '../../engine/contract/index.ts'
import { generateSchema } from '../../engine/jobs/settings.ts'
import { eventsOf, type Ran, sample, secateur, temporaryFolder } from './secateur.ts'

const folder = temporaryFolder()
const model = sample('model')
const text = sample('heldout.txt')
const out = (name: string) => join(folder, name)

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
// Most of a call is Node starting: two at a time.
const together = { concurrency: 2 }

const errorOf = (ran: Ran) => {
  const last = eventsOf(ran).at(-1)!
  assert.ok(last.type === 'error', JSON.stringify(last))
  return last
}

describe('a setting that is wrong ends with 2 and names the flag', together, () => {
  const data = ['--data', text, '--out', out('never')]
  const wrong: [string, string[], RegExp][] = [
    ['an unknown flag', ['prune', model, ...data, '--bogus', '3'], /--bogus/],
    ['text for a number', ['prune', model, ...data, '--ratio', 'half'], /--ratio.*half/],
    ['a folder that is missing', ['merge', model, '--out', out('never')], /<adapter>: is needed/],
    ['a setting of the evaluation', ['eval', model, '--perplexity', `a=${text}`, '--window', '1'], /^--window: .*2/],
    [
      'a task that is unknown',
      ['eval', model, '--task', `chess=${text}`],
      /^--task: chess is no task that Secateur knows/,
    ],
    [
      'what only the job can judge',
      ['eval', model, '--images', text],
      /^--images: .* is a language model, which does not look at/,
    ],
    ['a setting of generation', ['generate', model, '--top-p', '4'], /^--top-p/],
    ['a command that is unknown', ['shrink', model], /shrink/],
  ]
  for (const [name, args, message] of wrong)
    test(name, async () => {
      const ran = await secateur([...args, '--json'])
      assert.equal(ran.code, 2, ran.stdout + ran.stderr)
      const error = errorOf(ran)
      assert.equal(error.kind, 'bad-setting')
      assert.match(error.message, message)
      assert.ok(!existsSync(out('never')))
    })

  test('in plain words too, on standard error alone', async () => {
    const ran = await secateur(['prune', model, ...data, '--ratio', '2'])
    assert.equal(ran.code, 2)
    assert.equal(ran.stdout, '')
    assert.match(ran.stderr, /^secateur: --ratio: .*\n$/)
  })
})

describe('a file that is wrong ends with 3 and is named', together, () => {
  const jobs = (checkpoint: string): [string, string[]][] => [
    ['inspect', ['inspect', checkpoint]],
    ['eval', ['eval', checkpoint, '--perplexity', `a=${text}`]],
    ['prune', ['prune', checkpoint, '--data', text, '--out', out('no-run')]],
  ]
  for (const [name, args] of jobs(out('absent')))
    test(`${name}: a checkpoint that is not there`, async () => {
      const ran = await secateur([...args, '--json'])
      assert.equal(ran.code, 3, ran.stdout + ran.stderr)
      assert.equal(errorOf(ran).file, out('absent'))
      assert.ok(!existsSync(out('no-run')))
    })

  const broken = out('broken')
  cpSync(model, broken, { recursive: true })
  truncateSync(join(broken, 'model.safetensors'), 100_000)
  for (const [name, args] of jobs(broken))
    test(`${name}: weights that end too early`, async () => {
      const ran = await secateur([...args, '--json'])
      assert.equal(ran.code, 3, ran.stdout + ran.stderr)
      const { kind, file } = errorOf(ran)
      assert.deepEqual([kind, file], ['bad-file', join(broken, 'model.safetensors')])
      assert.ok(!existsSync(out('no-run')))
    })

  test('a task file that is not there', async () => {
    const ran = await secateur(['eval', model, '--task', `piqa=${out('none.jsonl')}`, '--threads', '1', '--json'])
    assert.equal(ran.code, 3)
    assert.equal(errorOf(ran).file, out('none.jsonl'))
  })

  test('training data that is not there; the folder can be used again', async () => {
    const args = [
      'finetune',
      model,
      '--steps',
      '1',
      '--sequence-length',
      '16',
      '--batch-size',
      '1',
      '--threads',
      '1',
      '--json',
    ]
    const run = (data: string) => secateur([...args, '--data', data, '--out', out('again')])
    const ran = await run(out('none.txt'))
    assert.equal(ran.code, 3)
    assert.equal(errorOf(ran).file, out('none.txt'))
    const second = await run(text)
    assert.equal(second.code, 0, second.stdout + second.stderr)
  })

  test('a folder for the run that is a file', async () => {
    const file = out('file')
    writeFileSync(file, 'dear')
    const ran = await secateur(['prune', model, '--data', text, '--out', file, '--json'])
    assert.equal(ran.code, 3, ran.stdout + ran.stderr)
    assert.equal(errorOf(ran).file, file)
    assert.equal(readFileSync(file, 'utf8'), 'dear')
  })

  test('a job file that is not JSON', async () => {
    const job = out('job.json')
    writeFileSync(job, '{"steps": ')
    const ran = await secateur(['prune', model, '--job', job, '--json'])
    assert.equal(ran.code, 3)
    assert.equal(errorOf(ran).file, job)
  })
})

describe('what is there already is kept', () => {
  const adapter = out('tuned/output')
  const commands: [string, () => string[]][] = [
    ['finetune', () => ['finetune', model, '--data', text, '--steps', '1']],
    ['prune', () => ['prune', model, '--data', text, '--steps', '1']],
    ['merge', () => ['merge', model, adapter]],
  ]
  for (const [name, args] of commands)
    test(`${name} refuses a folder that holds something`, async () => {
      if (name === 'merge' && !existsSync(adapter)) {
        const tune = ['finetune', model, '--data', text, '--steps', '1', '--sequence-length', '16', '--batch-size', '1']
        assert.equal((await secateur([...tune, '--threads', '1', '--out', out('tuned')])).code, 0)
      }
      const full = out(`full-${name}`)
      mkdirSync(full)
      writeFileSync(join(full, 'letter.txt'), 'dear')
      const ran = await secateur([...args(), '--out', full, '--json'])
      assert.ok(ran.code === 2 || ran.code === 3, `${ran.code} ${ran.stdout}${ran.stderr}`)
      assert.ok(errorOf(ran).message.includes(full))
      assert.deepEqual(readdirSync(full), ['letter.txt'])
      assert.equal(readFileSync(join(full, 'letter.txt'), 'utf8'), 'dear')
    })
})

describe('--help lists every setting', together, () => {
  const positional = new Set(['kind', 'checkpoint', 'evaluation', 'tasks', 'perplexity'])
  const commands: [string, object, string[]][] = [
    ['inspect', {}, ['--json']],
    ['finetune', finetuneSchema.shape, ['--job', '--json', '--resume']],
    ['prune', { ...pruneSchema.shape, ...evaluationSchema.shape }, ['--task', '--perplexity', '--job', '--resume']],
    ['merge', mergeSchema.shape, ['<adapter>|[adapter]', '--job']],
    ['export', exportGgufSchema.shape, ['--format', '--job']],
    ['eval', evaluationSchema.shape, ['--task', '--perplexity', '--adapter', '--threads', '--job']],
    ['generate', generateSchema.shape, ['--json']],
    ['speed', speedSchema.shape, ['--json']],
  ]
  for (const [name, shape, more] of commands)
    test(name, async () => {
      const ran = await secateur([name, '--help'])
      assert.equal(ran.code, 0)
      assert.equal(ran.stderr, '')
      const fields = Object.keys(shape).filter(
        (field) => !positional.has(field) && !(name === 'merge' && field === 'adapter'),
      )
      for (const field of fields) assert.match(ran.stdout, new RegExp(`^ +--(no-)?${kebab(field)}\\b`, 'm'), field)
      for (const flag of more)
        assert.ok(
          flag.split('|').some((either) => ran.stdout.includes(either)),
          flag,
        )
    })

  test('the program itself lists commands and exit codes', async () => {
    const ran = await secateur(['--help'])
    assert.equal(ran.code, 0)
    for (const [name] of commands) assert.match(ran.stdout, new RegExp(`^ +${name}\\b`, 'm'))
    assert.match(ran.stdout, /Exit codes: 0 done, 2 .*, 3 /)
  })
})
