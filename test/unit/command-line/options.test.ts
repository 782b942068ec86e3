import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Command } from 'commander'
import { collectAssignments } from '../../../engine/entries/command-line/flag-values.ts'
import { refuseUnusedType } from '../../../engine/entries/command-line/unused-type.ts'
import { jobFrom, schemaOptions, settingsFrom } from '../../../engine/entries/command-line/options.ts'
import {
  evaluateSchema,
  finetuneSchema,
  jobSchema,
  planSchema,
  presetName,
  type PruneJob,
  pruneSchema,
  sweepSchema,
} from '../../../engine/contract/index.ts'
import { configOf } from '../../../engine/models/checkpoint.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'
import { forModel } from '../../../engine/training/job-for-model.ts'
import { fixtureModel } from '../../fixtures/read.ts'
import { visionModel } from '../../fixtures/vision.ts'

/** What a command with a schema's flags makes of arguments. */
function flagsOf(schema: Parameters<typeof schemaOptions>[0], args: string[]): object {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} })
  for (const option of schemaOptions(schema, ['kind', 'checkpoint', 'evaluation'])) command.addOption(option)
  return command.parse(args, { from: 'user' }).opts()
}

const pruneFrom = (...args: string[]) =>
  jobFrom('prune', pruneSchema, { checkpoint: 'model' }, flagsOf(pruneSchema, args)) as PruneJob
/** What a command makes of flags that are parsed already. */
const jobWith = (schema: typeof pruneSchema | typeof finetuneSchema, flags: object) =>
  jobFrom(schema.shape.kind.value, schema, { checkpoint: 'model' }, { data: ['a'], out: 'run', ...flags })
const needed = ['--data', 'a.txt', '--out', 'run']

const named = (run: () => unknown, flag: string, message: RegExp) =>
  assert.throws(run, (error) => {
    assert.ok(error instanceof SecateurError && error.kind === 'bad-setting', String(error))
    assert.equal(error.field, flag)
    assert.match(error.message, message)
    return true
  })

const scoring = (flags: object) => () => jobFrom('evaluate', evaluateSchema, { checkpoint: 'model' }, flags)

describe('flags become the job that the app would send', () => {
  test('defaults are those of the schema', () => {
    const sent = { kind: 'prune', checkpoint: 'model', data: ['a.txt'], out: 'run' }
    assert.deepEqual(pruneFrom(...needed), pruneSchema.parse(sent))
  })

  test('numbers, lists, choices and switches arrive as what they are', () => {
    const args =
      '--data a.txt b.txt --data c.txt --out run --learning-rate 3e-4 --steps 60 --target-modules q,v --ranking global'
    const job = pruneFrom(...args.split(' '), '--no-uniform', '--int8', '--power', '2')
    assert.deepEqual(
      job,
      pruneSchema.parse({
        kind: 'prune',
        checkpoint: 'model',
        data: ['a.txt', 'b.txt', 'c.txt'],
        out: 'run',
        learningRate: 3e-4,
        steps: 60,
        targetModules: ['q', 'v'],
        ranking: 'global',
        uniform: false,
        int8: true,
        power: 2,
      }),
    )
  })

  test('presets stand under the job file and the flags, and their evaluation comes with one alone', () => {
    for (const preset of presetName.options) jobWith(pruneSchema, { preset })
    const paper = jobWith(pruneSchema, { preset: 'paper', rank: 4, uniform: true }) as PruneJob
    assert.deepEqual(
      [paper.batchSize * paper.gradientAccumulation, paper.learningRateSchedule, paper.rounding, paper.validation],
      [128, 'linear', 'down', 1000],
    )
    assert.deepEqual([paper.rank, paper.uniform, paper.evaluation], [4, true, undefined])
    const scored = jobWith(pruneSchema, { preset: 'paper', window: 64, perplexity: { wiki: 'w' } }) as PruneJob
    assert.deepEqual([scored.evaluation!.mode, scored.evaluation!.window], ['legacy', 64])
    const tuned = jobWith(finetuneSchema, { preset: 'paper' })
    assert.equal(Object.hasOwn(tuned, 'ratio') || Object.hasOwn(tuned, 'evaluation'), false)
    // Whatever the preset leaves out is ours, and stands in docs/paper.md as such.
    assert.deepEqual(jobWith(pruneSchema, {}), pruneFrom('--data', 'a', '--out', 'run'))
  })

  test('a budget goes before the ratio of a preset, and is refused beside one', () => {
    const { budget, ratio, ratioOf, ranking } = jobWith(pruneSchema, {
      preset: 'paper',
      budget: 'memory=4GB',
    }) as PruneJob
    assert.deepEqual([budget, ratio, ratioOf, ranking], ['memory=4GB', 0.5, 'groups', 'auto'])
    for (const flag of ['--ratio', '--target-fraction'])
      named(() => pruneFrom(...needed, '--budget', 'parameters=0.7', flag, '0.3'), flag, /leave one of them out/)
    for (const wrong of ['0.7', 'parameters=-1', 'parameters=4GB', 'memory=4X', 'speed=2'])
      named(() => pruneFrom(...needed, '--budget', wrong), '--budget', /a budget is one of|say a share/)
  })

  test('a file, a fraction or a number of rows for validation, and a switch that is not given is neither on nor off', () => {
    assert.equal(pruneFrom(...needed, '--validation', '0.05').validation, 0.05)
    assert.equal(pruneFrom(...needed, '--validation', '1000').validation, 1000)
    assert.equal(pruneFrom(...needed, '--validation', 'held-out.jsonl').validation, 'held-out.jsonl')
    assert.equal(pruneFrom(...needed, '--validation', './0.1').validation, './0.1')
    assert.equal(pruneFrom(...needed).validation, undefined)
    assert.equal(pruneFrom(...needed).uniform, undefined)
    assert.equal(pruneFrom(...needed, '--uniform').uniform, true)
    assert.equal(pruneFrom(...needed, '--no-uniform').uniform, false)
    assert.equal(pruneFrom(...needed, '--no-keep-best').keepBest, false)
  })

  test('a path is one, commas and all, and what was a list of paths is never read as one', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secateur-options-'))
    try {
      const [one, two, both] = ['one.txt', 'two.txt', 'one.txt,two.txt'].map((name) => join(folder, name))
      const dataOf = (...data: string[]) => pruneFrom('--out', 'run', '--data', ...data).data
      writeFileSync(one!, '')
      assert.throws(() => dataOf(`${one},${two}`), /there is nothing of this name.*or repeat the flag/)
      writeFileSync(both!, '')
      assert.deepEqual(dataOf(both!, one!), [both, one])
      assert.deepEqual(dataOf('/of a cluster/a,b.txt', '--data', two!), ['/of a cluster/a,b.txt', two])
      const calibrated = pruneFrom(...needed, '--calibration-data', both!, one!)
      assert.deepEqual(calibrated.calibrationData, [both, one])
      assert.deepEqual(pruneFrom(...needed, '--calibration', both!).calibrationData, [both])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('a prompt is one text, commas and all', () => {
    const prompts = ['Once upon a time, there was', 'The', '']
    const flags = prompts.flatMap((prompt) => ['--sample-prompts', prompt])
    const job = pruneFrom(...needed, '--sample-every', '10', ...flags)
    assert.ok(job.kind === 'prune')
    assert.deepEqual([job.sampleEvery, job.samplePrompts], [10, prompts])
  })

  test('lengths of prompts ask for speed, unless a job file says that none is measured', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secateur-options-'))
    try {
      const file = join(folder, 'job.json')
      const measured = (flags: object, evaluation: object) => {
        writeFileSync(file, JSON.stringify({ checkpoint: 'model', evaluation }))
        const job = jobFrom('evaluate', evaluateSchema, {}, { ...flags, job: file })
        assert.ok(job.kind === 'evaluate')
        return [job.evaluation.latency, job.evaluation.latencyLengths]
      }
      assert.deepEqual(measured({ latencyLengths: ['4', '8'] }, {}), [true, [4, 8]])
      assert.deepEqual(measured({ latencyLengths: ['4'] }, { latency: false, latencyLengths: [8] }), [true, [4]])
      assert.deepEqual(measured({}, { latencyLengths: [8] }), [true, [8]])
      assert.deepEqual(measured({}, { latency: false, latencyLengths: [8] }), [false, [8]])
      assert.deepEqual(measured({ latencyLengths: [] }, {}), [false, []])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('flags go before the job file, and what they leave alone stays', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secateur-options-'))
    try {
      const file = join(folder, 'job.json')
      writeFileSync(file, JSON.stringify({ checkpoint: 'other', data: ['a.txt'], out: 'run', rank: 4, uniform: false }))
      const flags = { ...flagsOf(pruneSchema, ['--out', 'elsewhere']), job: file }
      const job = jobFrom('prune', pruneSchema, { checkpoint: undefined }, flags)
      assert.ok(job.kind === 'prune')
      assert.deepEqual(
        [job.checkpoint, job.data, job.out, job.rank, job.uniform],
        ['other', ['a.txt'], 'elsewhere', 4, false],
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test("the former --rows is a training run's batch size and an evaluation's file of predictions", () => {
    const training = pruneFrom(...needed, '--rows', '3')
    assert.ok(training.kind === 'prune' && training.batchSize === 3 && training.evaluation === undefined)
    const flags = { task: { piqa: 'p.jsonl' }, rows: 'out.jsonl', limit: 200 }
    const job = jobFrom('evaluate', evaluateSchema, { checkpoint: 'model' }, flags)
    assert.ok(job.kind === 'evaluate')
    const { tasks, predictions, limit } = job.evaluation
    assert.deepEqual([tasks, predictions, limit], [{ piqa: 'p.jsonl' }, 'out.jsonl', 200])
  })

  test('flags and job files take the names that settings had before', () => {
    const before =
      '--length 64 --rows 3 --accumulation 2 --documents 9 --warm-up 0.2 --decay linear --clip-norm 2 --projections q ' +
      '--activations recompute --calibration c.txt --calibration-rows 5 --calibration-length 16 --prune-warm-up 0.2 ' +
      '--prune-cool-down 0.3 --norm l2 --weights base --dtype float16'
    const now =
      '--sequence-length 64 --batch-size 3 --gradient-accumulation 2 --max-documents 9 --warmup-ratio 0.2 ' +
      '--learning-rate-schedule linear --max-gradient-norm 2 --target-modules q_proj --gradient-checkpointing on ' +
      '--calibration-data c.txt --calibration-samples 5 --calibration-sequence-length 16 --prune-warmup 0.2 ' +
      '--prune-cooldown 0.3 --magnitude-norm l2 --magnitude-weights base --output-dtype float16'
    const job = pruneFrom(...needed, ...now.split(' '))
    assert.deepEqual(pruneFrom(...needed, ...before.split(' ')), job)
    assert.ok(job.kind === 'prune' && job.batchSize === 3 && job.gradientCheckpointing === 'on')
    const scored = { task: { piqa: 'p' }, shots: 2, shotsFrom: { piqa: 't' }, windows: 3, promptTokens: 4 }
    const evaluated = jobFrom('evaluate', evaluateSchema, { checkpoint: 'model' }, scored)
    assert.ok(evaluated.kind === 'evaluate')
    const { fewShot, fewShotFrom, maxWindows, maxNewTokens } = evaluated.evaluation
    assert.deepEqual([fewShot, fewShotFrom, maxWindows, maxNewTokens], [2, { piqa: 't' }, 3, 4])
    const folder = mkdtempSync(join(tmpdir(), 'secateur-options-'))
    try {
      const file = join(folder, 'job.json')
      writeFileSync(file, JSON.stringify({ checkpoint: 'model', data: ['a.txt'], out: 'run', rows: 5, length: 32 }))
      const from = (...args: string[]) =>
        jobFrom('prune', pruneSchema, { checkpoint: undefined }, { ...flagsOf(pruneSchema, args), job: file })
      const over = from('--batch-size', '6')
      assert.ok(over.kind === 'prune')
      assert.deepEqual([over.batchSize, over.sequenceLength], [6, 32])
    } finally {
      rmSync(folder, { recursive: true })
    }
    const flags = schemaOptions(pruneSchema, []).filter(({ hidden }) => !hidden)
    assert.ok(flags.some(({ long }) => long === '--batch-size') && !flags.some(({ long }) => long === '--rows'))
  })

  test('repeated NAME=FILE flags gather, and a file may hold an equals sign', () => {
    const collect = collectAssignments('task')
    assert.deepEqual(collect('b=d=e', collect('a=c', undefined)), { a: 'c', b: 'd=e' })
    assert.throws(
      () => collect('a=d', collect('b=e', collect('a=c', undefined))),
      /--task names a twice, for c and for d: a name stands for one/,
    )
    for (const text of ['piqa', '=file', 'piqa=']) assert.throws(() => collect(text, undefined), /NAME=FILE/)
  })
})

describe('a setting that is wrong is named by its flag', () => {
  for (const [args, flag, message] of [
    [['--ratio', '2'], '--ratio', /0\.95/],
    [['--ratio', '0'], '--ratio', /must be more than 0, and is 0/],
    [['--steps', '1.5'], '--steps', /a whole number/],
    [['--learning-rate', '-1'], '--learning-rate', /more than 0/],
    [['--power', '3'], '--power', /./],
    [['--target-modules', 'q,w'], '--target-modules', /"up"/],
    [['--seed', '-1'], '--seed', /0 or more/],
  ] as const)
    test(args.join(' '), () => named(() => pruneFrom(...needed, ...args), flag, message))

  test('a setting by its former name and its new one', () => {
    named(
      () => pruneFrom(...needed, '--rows', '2', '--batch-size', '3'),
      '--batch-size',
      /given twice: rows is its name/,
    )
    named(scoring({ shots: 1, fewShot: 1 }), '--few-shot', /given twice: shots/)
  })

  test('settings that are missing', () => {
    named(() => pruneFrom('--data', 'a.txt'), '--out', /is needed/)
    named(() => pruneFrom('--out', 'run'), '--data', /is needed/)
    named(() => jobFrom('finetune', finetuneSchema, {}, { data: ['a'], out: 'run' }), '<checkpoint>', /is needed/)
  })

  test('what stands in a file alone, and a job of another command', () => {
    const folder = mkdtempSync(join(tmpdir(), 'secateur-options-'))
    const job = join(folder, 'job.json')
    try {
      writeFileSync(job, '{"values":5,"checkpoint":"model"}')
      assert.throws(() => jobFrom('sweep', sweepSchema, {}, { job, out: 'o' }), /job\.json: values: must be an object/)
      writeFileSync(job, '{}')
      assert.throws(() => jobFrom('sweep', sweepSchema, {}, { job, out: 'o' }), /job\.json: checkpoint: is missing/)
      writeFileSync(job, '{"kind":"evaluate","checkpoint":"model"}')
      assert.throws(
        () => jobFrom('prune', pruneSchema, {}, { job }),
        /job\.json: kind: is "evaluate": start it with secateur eval/,
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('a budget of a plan', () => {
    const given = { run: 'run' }
    named(
      () => settingsFrom(planSchema, given, { budgets: ['parameters=0.7', '3'] }),
      '--budget',
      /"3": a budget is one of parameters/,
    )
    named(() => settingsFrom(planSchema, given, { budgets: [] }), '--budget', /at least 1 entry/)
  })

  test('settings of the evaluation', () => {
    named(scoring({ window: 1 }), '--window', /2 or more/)
    named(scoring({ batchTokens: 0 }), '--batch-tokens', /1 or more/)
    // A name that is none of Secateur's is that of a task file; whether it is one is seen when it is read.
    named(scoring({ task: { 'my chess': 'x' } }), '--task', /at most 64 letters, digits, - and _/)
    named(scoring({ task: { constructor: 'x' } }), '--task', /name the task otherwise/)
    named(scoring({ perplexity: { toString: 'x' } }), '--perplexity', /name the text otherwise/)
    assert.throws(() => collectAssignments('task')('__proto__=x', undefined), /__proto__ means something else/)
    const folder = mkdtempSync(join(tmpdir(), 'secateur-options-'))
    try {
      for (const [setting, flag] of [
        ['tasks', '--task'],
        ['perplexity', '--perplexity'],
        ['shotsFrom', '--shots-from'],
      ]) {
        const text = `{ "evaluation": { "${setting}": { "__proto__": "x" } } }`
        const file = join(folder, `${setting}.json`)
        writeFileSync(file, text)
        named(scoring({ job: file }), flag!, /has the name __proto__, which means something else/)
        const sent = { kind: 'evaluate', checkpoint: 'model', ...(JSON.parse(text) as object) }
        assert.match(jobSchema.safeParse(sent).error!.message, /has the name __proto__/)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('words for numbers and unknown choices do not get past the parser', () => {
    for (const args of [
      ['--ratio', 'half'],
      ['--steps', ''],
      ['--seed', 'Infinity'],
      ['--ranking', 'best'],
      ['--ratoi', '0.5'],
    ])
      assert.throws(() => pruneFrom(...needed, ...args), new RegExp(args[0]!))
  })
})

const jobOf = (checkpoint: string, preset: string) =>
  jobFrom(
    'prune',
    pruneSchema,
    { checkpoint },
    { ...flagsOf(pruneSchema, needed), preset, images: 'images' },
  ) as PruneJob

test('a preset leaves out what speaks of text where the model looks at images', () => {
  for (const preset of presetName.options) {
    const job = jobOf(visionModel('vit_hf'), preset)
    forModel(job, configOf(job.checkpoint))
    assert.equal(job.evaluation!.latency, false)
    assert.equal(job.evaluation!.limit, undefined)
    assert.ok(Number(job.validation) < 1, 'a fraction, since images may be few')
  }
  assert.deepEqual(jobOf(visionModel('vit_hf'), 'quick').samplePrompts, [])
  assert.equal(jobOf(fixtureModel('llama_mha'), 'quick').sequenceLength, 128)
})

test('a type of llama.cpp beside Secateur is refused, and beside either of the two left to be chosen it is not', () => {
  assert.throws(
    () => refuseUnusedType({ runner: 'secateur', type: ['f16', 'q8_0'] }),
    /--type: f16, q8_0 is how llama\.cpp/,
  )
  refuseUnusedType({ runner: 'secateur' })
  refuseUnusedType({ runner: 'auto', type: 'q8_0' })
})
