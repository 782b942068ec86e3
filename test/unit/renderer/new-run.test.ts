import assert from 'node:assert/strict'
import { test } from 'node:test'
import { engine } from '../../../electron/contract/index.ts'
import { bestFirst, rankOf } from '../../../renderer/src/components/rank.ts'
import { changesBetween } from '../../../renderer/src/screens/new-run/changes.ts'
import { draftOf } from '../../../renderer/src/screens/new-run/clone.ts'
import { draftOfCluster, savedCluster } from '../../../renderer/src/screens/new-run/cluster-draft.ts'
import { type Draft, emptyDraft } from '../../../renderer/src/screens/new-run/draft.ts'
import { jobOf } from '../../../renderer/src/screens/new-run/job.ts'
import { problemsOf } from '../../../renderer/src/screens/new-run/problems.ts'
import { removalFacts } from '../../../renderer/src/removal.ts'
import { findSettings, modes, rangeOf, sectionsOf, settingsOf } from '../../../renderer/src/screens/new-run/form.ts'
import { applyPreset, isPreset, presets, presetsFor, valuesFor } from '../../../renderer/src/screens/new-run/presets.ts'
import { percent } from '../../../renderer/src/format.ts'
import { limitText, settingText } from '../../../renderer/src/screens/new-run/setting-text.ts'
import { seesOf } from '../../../renderer/src/screens/new-run/sees.ts'
import { parseNumber } from '../../../renderer/src/screens/new-run/typed.ts'
import { humanise, settingLabel } from '../../../renderer/src/screens/new-run/presentation.ts'
import { picked } from '../../../renderer/src/screens/new-run/setting-group.ts'
import { groups } from '../../../renderer/src/screens/new-run/setting-groups.ts'

const filled = (changes: Partial<Draft> = {}): Draft => ({
  ...emptyDraft(),
  checkpoint: '/models/small',
  data: ['/data/train.jsonl'],
  tasks: { piqa: '/data/piqa.jsonl' },
  ...changes,
})

test('every setting of every job can be reached, and says what it is', () => {
  for (const [mode, schema] of [
    ['prune', engine.pruneSchema],
    ['finetune', engine.finetuneSchema],
    ['merge', engine.mergeSchema],
    ['sweep', engine.sweepSchema],
  ] as const) {
    const reached = settingsOf(mode).map(({ key }) => key.split('.')[0])
    for (const name of Object.keys(schema.shape))
      assert.ok(reached.includes(name) || picked.includes(name), `${mode}: ${name} has no field`)
  }
  for (const mode of modes) {
    const labels = settingsOf(mode).map(({ label }) => label)
    assert.equal(new Set(labels).size, labels.length, `two settings of ${mode} are called the same`)
    for (const { key, sentence, label } of settingsOf(mode)) {
      assert.match(sentence, /^[\p{Lu}\d].*[.]$/u, `${key} is not explained`)
      assert.match(label, /^[\p{Lu}\d]|^lm-eval/u)
    }
  }
  const shown = sectionsOf('prune').flatMap(({ settings }) => settings)
  assert.equal(shown.length, settingsOf('prune').length)
})

test('the form names no setting that the schemas do not have', () => {
  const known = new Set(modes.flatMap((mode) => settingsOf(mode).map(({ key }) => key)))
  for (const { settings } of groups) for (const key of Object.keys(settings)) assert.ok(known.has(key), key)
  for (const { values } of presets) for (const key of Object.keys(values)) assert.ok(known.has(key), key)
})

test('what is the path of something to read can be browsed for', () => {
  const browsed = new Map(modes.flatMap((mode) => settingsOf(mode).map(({ key, browse }) => [key, browse])))
  assert.equal(browsed.get('teacher'), 'folder')
  assert.equal(browsed.get('evaluation.images'), 'folder')
  // A file that is written is not there yet.
  assert.equal(browsed.get('evaluation.predictions'), undefined)
})

const firstFound = (search: string) => findSettings(sectionsOf('pipeline'), search)[0]?.settings[0]?.key
const problemsWith = (values: Draft['values']) => Object.fromEntries(problemsOf(filled({ values })))

test('a search finds settings by their names in other programs, the best answer first', () => {
  for (const [search, key] of [
    ['ratio', 'ratio'],
    ['sparsity', 'ratio'],
    ['lr', 'learningRate'],
    ['batch size', 'batchSize'],
    ['gradient accumulation', 'gradientAccumulation'],
    ['shots', 'evaluation.fewShot'],
    ['EMA', 'lambda'],
    ['clip', 'maxGradientNorm'],
    ['dtype', 'outputDtype'],
    ['load_in_8bit', 'int8'],
    ['max_seq_length', 'sequenceLength'],
    ['predictions', 'evaluation.predictions'],
    ['lora_alpha', 'alpha'],
    ['activation checkpointing', 'gradientCheckpointing'],
    ['learningRateSchedule', 'learningRateSchedule'],
  ] as const)
    assert.equal(firstFound(search), key, search)
  assert.deepEqual(findSettings(sectionsOf('pipeline'), 'no such thing'), [])
  const calibration = { value: 'c', label: 'Calibration sequence length', detail: '' }
  const length = { value: 's', label: 'Sequence length', detail: '' }
  const options = [calibration, length]
  assert.deepEqual(
    bestFirst(options, ({ label }) => rankOf('seq', label)).map(({ value }) => value),
    ['s', 'c'],
  )
})

test('what a budget cannot stand beside is said before the run is queued', () => {
  assert.deepEqual(problemsWith({ budget: 'parameters=0.5' }), {})
  assert.match(problemsWith({ budget: 'parameters=0.5', ratio: '0.3' })['ratio']!, /^Says how much is pruned/)
  assert.match(
    problemsWith({ budget: 'parameters=0.5', criterion: 'depth' })['budget']!,
    /^Is spent on heads and channels/,
  )
})

const setting = (key: string) => settingsOf('prune').find((candidate) => candidate.key === key)

test('ranges, choices and defaults come from the schema', () => {
  const ratio = setting('ratio')
  assert.deepEqual(ratio?.input, { kind: 'number', whole: false, maximum: 0.95, above: 0 })
  assert.equal(ratio?.standard, 0.5)
  assert.equal(ratio && rangeOf(ratio.input, String), 'above 0 up to 0.95')
  assert.deepEqual(setting('power')?.input, { kind: 'choice', options: [1, 2] })
  assert.deepEqual(setting('criterion')?.input, {
    kind: 'choice',
    options: engine.pruneSchema.shape.criterion.unwrap().options,
  })
  assert.deepEqual(setting('samplePrompts')?.input, { kind: 'lines', most: 20, paths: false })
  assert.deepEqual(setting('calibrationData')?.input, { kind: 'lines', most: 100, paths: true })
  assert.deepEqual(setting('seed')?.input, { kind: 'number', whole: true, minimum: 0 })
  assert.equal(humanise('evaluation.batchTokens'), 'Batch tokens')
})

test('tasks stand in the order of the form, however they were chosen, and own ones behind them', () => {
  const tasks = { capitals: 'c.json', winogrande: 'w.jsonl', piqa: '', arc_easy: 'a.jsonl', boolq: 'b.jsonl' }
  const { evaluation } = jobOf(filled({ mode: 'pipeline', tasks }))
  const chosen = (evaluation as { tasks: Record<string, string> }).tasks
  assert.deepEqual(Object.keys(chosen), ['boolq', 'winogrande', 'arc_easy', 'capitals'])
})

const share = (actual: number, planned: number) => ({ actual, planned })

test('a budget is told without what stands above it, and what was planned where it came otherwise', () => {
  const removal = { heads: share(0, 0), channels: share(0.25, 0.3), parameters: share(0.2, 0.2) }
  const budget = { measure: 'parameters' as const, before: 1000, planned: 800, actual: 790 }
  assert.deepEqual(
    removalFacts({ ...removal, budget }).map(({ value, detail }) => `${value} ${detail}`.trim()),
    ['0.0%', '25.0% planned 30.0%', '20.0%', '790 at most 800 of 1,000'],
  )
})

test('a filled form makes a job that the engine takes, with nothing in it that was not said', () => {
  const draft = filled({ mode: 'pipeline', values: { ratio: '0.3', steps: '60', power: '2', learningRate: '1e-3' } })
  assert.equal(problemsOf(draft).size, 0)
  const job = jobOf(draft)
  assert.deepEqual(job, {
    kind: 'prune',
    checkpoint: '/models/small',
    data: ['/data/train.jsonl'],
    ratio: 0.3,
    steps: 60,
    power: 2,
    learningRate: 1e-3,
    evaluateDense: true,
    evaluation: { tasks: { piqa: '/data/piqa.jsonl' }, perplexity: {} },
  })
  assert.ok(engine.jobSchema.safeParse({ ...job, out: '/runs/1' }).success)
  assert.equal(jobOf({ ...draft, mode: 'prune' })['evaluation'], undefined)
  assert.equal(jobOf({ ...draft, mode: 'finetune' })['ratio'], undefined)
})

test('what is wrong is said beside its field, in words', () => {
  const wrong = problemsOf(
    filled({ checkpoint: '', data: [], values: { ratio: '1.5', steps: '2.5', rank: 'many', samplePrompts: ['a'] } }),
  )
  assert.deepEqual(Object.fromEntries(wrong), {
    checkpoint: 'Choose a checkpoint.',
    data: 'Choose at least one data set to train on.',
    ratio: 'Must be 0.95 or less.',
    steps: 'Must be a whole number.',
    rank: 'Must be a number, written without thousands separators.',
  })
  const nothing = problemsOf(filled({ mode: 'evaluate', tasks: {} }))
  assert.match(nothing.get('evaluation') ?? '', /at least one task/)
  assert.equal(problemsOf(filled({ mode: 'evaluate', tasks: {}, values: { 'evaluation.latency': true } })).size, 0)
  const twice = filled({
    perplexity: [
      { name: 'wiki', path: '/a' },
      { name: 'wiki ', path: '/b' },
    ],
  })
  assert.match(problemsOf(twice).get('evaluation.perplexity') ?? '', /same name/)
})

test('numbers are read as the locale writes them, and doubtful ones not at all', () => {
  assert.deepEqual(
    ['1e-4', ' 0.5 ', '−3', '.5', '1,000', '1 000', '0x10', '', 'abc'].map((text) => parseNumber(text)),
    [1e-4, 0.5, -3, 0.5, null, null, null, null, null],
  )
  assert.deepEqual([parseNumber('0,5', ','), parseNumber('0.5', ','), parseNumber('1.000,5', ',')], [0.5, 0.5, null])
})

const again = (draft: Draft) => engine.jobSchema.parse({ ...jobOf(draft), out: '/runs/2' })

test('a clone makes the same job again, and says what was changed', () => {
  const job = engine.jobSchema.parse({
    ...jobOf(filled({ values: { ratio: '0.3', uniform: false, samplePrompts: ['Once'], 'evaluation.limit': '20' } })),
    out: '/runs/1',
  })
  const clone = draftOf(job, { id: 12 })
  const examples = { piqa: '/data/piqa-train.jsonl', boolq: '/not/scored' }
  const shot = engine.jobSchema.parse({ ...jobOf({ ...clone, fewShotFrom: examples }), out: '/runs/1' })
  assert.deepEqual(shot.kind === 'prune' && shot.evaluation?.fewShotFrom, { piqa: '/data/piqa-train.jsonl' })
  assert.deepEqual(draftOf(shot, { id: 13 }).fewShotFrom, { piqa: '/data/piqa-train.jsonl' })
  assert.equal(clone.mode, 'pipeline')
  assert.deepEqual(clone.values, { ratio: '0.3', uniform: false, samplePrompts: ['Once'], 'evaluation.limit': '20' })
  assert.deepEqual(changesBetween(job, again(clone)), [])
  const changed = again({ ...clone, values: { ...clone.values, ratio: '0.5', 'evaluation.limit': '' } })
  assert.deepEqual(changesBetween({ ratio: 0.3, steps: 1 }, { ratio: 0.5, budget: 'memory=4GB', steps: 1 }), [
    { key: 'ratio', before: 0.3, after: undefined },
    { key: 'budget', before: undefined, after: 'memory=4GB' },
  ])
  assert.deepEqual(changesBetween(job, changed), [
    { key: 'ratio', before: 0.3, after: 0.5 },
    { key: 'evaluation.limit', before: 20, after: undefined },
  ])
})

const ofSweep = (changes: Partial<Draft['sweep']>, more: Partial<Draft> = {}): Draft =>
  filled({ mode: 'sweep', evaluate: true, ...more, sweep: { preset: null, lists: {}, variants: [], ...changes } })

test('the form of a sweep makes a job with its lists, and a clone of it makes the same', () => {
  const draft = ofSweep(
    { lists: { criterion: ['loraprune', 'magnitude'], seed: '0; 1', healing: ['false'] } },
    { values: { seed: '7', steps: '20', parallel: '2', 'evaluation.limit': '5' } },
  )
  assert.deepEqual(Object.fromEntries(problemsOf(draft)), {})
  const job = engine.jobSchema.parse({ ...jobOf(draft), out: '/runs/1' })
  assert.deepEqual(jobOf(draft), {
    kind: 'sweep',
    checkpoint: '/models/small',
    parallel: 2,
    base: {
      data: ['/data/train.jsonl'],
      steps: 20,
      evaluation: { limit: 5, tasks: { piqa: '/data/piqa.jsonl' }, perplexity: {} },
    },
    values: { criterion: ['loraprune', 'magnitude'], seed: [0, 1], healing: [false] },
  })
  const clone = draftOf(job, { id: 3 })
  assert.equal(clone.mode, 'sweep')
  assert.deepEqual(clone.sweep.lists, { criterion: ['loraprune', 'magnitude'], seed: '0; 1', healing: ['false'] })
  assert.deepEqual(changesBetween(job, again(clone)), [])
  const changes = changesBetween(job, again({ ...clone, sweep: { ...clone.sweep, lists: { seed: '4' } } }))
  assert.deepEqual(
    changes.map(({ key, after }) => `${settingLabel(key)}: ${settingText(key, after)}`),
    ['Criterion, varied: –', 'Seed, varied: 4', 'Heal by training, varied: –'],
  )
  const file = engine.jobSchema.parse({
    kind: 'sweep',
    checkpoint: '/m',
    out: '/o',
    preset: 'lambda',
    base: { data: ['/d'] },
    variants: [{ healing: true }, { healing: false, schedule: 'one-shot' }],
  })
  assert.deepEqual(changesBetween(file, again(draftOf(file, { id: 4 }))), [])
})

test('lists are checked as the single settings are, and where the locale writes commas too', () => {
  const wrong = problemsOf(
    ofSweep({ lists: { ratio: '0.2; 7', seed: '1 1', steps: '', rank: '1.5', lambda: 'much', criterion: [] } }),
  )
  assert.deepEqual(Object.fromEntries(wrong), {
    'values.ratio': '7: Must be 0.95 or less.',
    'values.seed': '1 stands here twice.',
    'values.steps': 'Give at least one value.',
    'values.rank': '1.5: Must be a whole number.',
    'values.lambda': 'much: Must be a number, written without thousands separators.',
    'values.criterion': 'Give at least one value.',
  })
  const values = (list: string, decimal: string) => jobOf(ofSweep({ lists: { ratio: list } }), decimal)['values']
  assert.deepEqual(values('0,2; 0,5', ','), { ratio: [0.2, 0.5] })
  assert.deepEqual(values('0.2, 0.5', '.'), { ratio: [0.2, 0.5] })
  assert.deepEqual(values('0.2,0.5', '.'), { ratio: ['0.2,0.5'] })
  assert.match(problemsOf(ofSweep({})).get('sweep') ?? '', /figure to repeat/)
  // A figure that measures something itself needs nothing to score, and one of memory takes nothing.
  assert.equal(problemsOf(ofSweep({ preset: 'speed' }, { tasks: {} })).size, 0)
  assert.match(problemsOf(ofSweep({ preset: 'lambda' }, { tasks: {} })).get('evaluation') ?? '', /at least one task/)
  assert.equal(Object.hasOwn(jobOf(ofSweep({ preset: 'memory' }))['base'] as object, 'evaluation'), false)
})

test('a sweep on a cluster says what it asks of it, and where its folder is', () => {
  const where = {
    on: 'slurm' as const,
    folder: '/shared/me',
    name: '',
    values: { gpus: '1', memory: '0,5', time: '3' },
  }
  const draft = ofSweep({ lists: { seed: '1; 2' } }, { where, evaluate: false, tasks: {} })
  assert.deepEqual(jobOf(draft, ',')['cluster'], { gpus: 1, memory: 0.5, time: '3' })
  assert.match(problemsOf(draft, ',').get('cluster.time') ?? '', /^Must be 5 minutes or more/)
  assert.match(problemsOf({ ...draft, where: { ...where, folder: ' ' } }).get('cluster.folder') ?? '', /share/)
  assert.equal(savedCluster(where, 'Lab', ','), null, 'what is wrong is not saved')
  const saved = savedCluster({ ...where, values: { ...where.values, time: '1-0' } }, ' Lab ', ',')!
  assert.deepEqual([saved.name, saved.folder, saved.settings.memory], ['Lab', '/shared/me', 0.5])
  assert.deepEqual(draftOfCluster(saved.settings, saved).values, { gpus: '1', memory: '0.5', time: '1-0' })
  assert.equal(Object.hasOwn(jobOf({ ...draft, where: { ...where, on: 'here' } }), 'cluster'), false)
})

test('an evaluation may be done on a cluster too, and a clone of it is', () => {
  const where = { on: 'slurm' as const, folder: '/shared/scores', name: '', values: { gpus: '1' } }
  const tasks = { piqa: '/data/piqa.jsonl' }
  const draft: Draft = { ...emptyDraft(), mode: 'evaluate', checkpoint: '/m', tasks, where }
  assert.deepEqual(jobOf(draft)['cluster'], { gpus: 1 })
  assert.match(problemsOf({ ...draft, where: { ...where, folder: '' } }).get('cluster.folder') ?? '', /share/)
  const job = engine.jobSchema.parse({ ...jobOf(draft), out: '/shared/scores/first' })
  assert.ok(job.kind === 'evaluate' && engine.isInParts(job))
  assert.deepEqual(draftOf(job, { id: 1 }).where, where)
  assert.equal(Object.hasOwn(jobOf({ ...draft, where: { ...where, on: 'here' } }), 'cluster'), false)
  assert.equal(Object.hasOwn(jobOf({ ...draft, mode: 'merge' }), 'cluster'), false)
  assert.ok(!settingsOf('evaluate').some(({ key }) => key === 'parallel'))
})

test('a cluster over ssh says how it is reached, and where it has what is chosen here', () => {
  const values = { via: 'ssh://me@lab', secateur: '/shared/secateur', here: '/home/me', there: '/shared/me' }
  const where = { on: 'ssh' as const, folder: '/shared/sweeps', name: '', values: { ...values, fetchOutputs: true } }
  const draft = ofSweep({ lists: { seed: '1; 2' } }, { where, evaluate: false, tasks: {} })
  const cluster = jobOf(draft)['cluster']
  const { here, there, ...plain } = values
  assert.deepEqual(cluster, { ...plain, map: { [here]: there }, remote: '/shared/sweeps', fetchOutputs: true })
  assert.deepEqual(problemsOf(draft).size, 0)
  const saved = savedCluster(where, 'Lab', '.')!
  assert.deepEqual(draftOfCluster(saved.settings, saved), { ...where, name: 'Lab' })
  const problemOf = (key: string, changes: object) =>
    problemsOf({ ...draft, where: { ...where, ...changes } }).get(key) ?? ''
  assert.match(problemOf('cluster.via', { values: {} }), /address of a login node/)
  assert.match(problemOf('cluster.via', { values: { ...values, via: 'lab' } }), /^Is no address like ssh/)
  assert.match(problemOf('cluster.secateur', { values: { ...values, secateur: '' } }), /begins with \//)
  assert.match(problemOf('cluster.folder', { folder: 'sweeps' }), /begins with \//)
  assert.match(problemOf('cluster.map', { values: { ...values, there: '' } }), /both folders, or neither/)
})

test('a preset sets what it is about, leaves what it is not, and is noticed to be changed', () => {
  for (const preset of presets) {
    const draft = applyPreset(filled({ values: { samplePrompts: ['Once'], ratio: '0.3' } }), preset)
    assert.equal(problemsOf(draft).size, 0, preset.name)
    assert.equal(problemsOf(applyPreset(filled({ values: {} }), preset)).size, 0, `${preset.name} without a prompt`)
    assert.deepEqual(draft.values['samplePrompts'], ['Once'])
    assert.equal(draft.values['ratio'], preset.values['ratio'])
    assert.ok(isPreset(draft, preset))
    assert.ok(!isPreset({ ...draft, values: { ...draft.values, ratio: '0.25' } }, preset))
    assert.ok(isPreset({ ...draft, values: { ...draft.values, ratio: '0.5', lambda: '' } }, preset))
  }
  assert.ok(problemsOf(filled({ values: { sampleEvery: '5' } })).has('samplePrompts'))
  for (const mode of ['merge', 'evaluate'] as const) assert.deepEqual(presetsFor(mode), [])
  assert.ok(presets[0] && !Object.hasOwn(valuesFor(presets[0], 'finetune'), 'uniform'))
})

const teachingProblem = (mode: Draft['mode'], values: Draft['values']) =>
  problemsOf(filled({ mode, values })).get('distil') ?? ''

test('a fine-tune that would learn from its own checkpoint alone asks for a teacher', () => {
  assert.match(
    teachingProblem('finetune', { distil: '1' }),
    /^At 1 all is learned from the teacher.*a share below 1\.$/,
  )
  assert.equal(teachingProblem('finetune', { distil: '1', teacher: '/models/larger' }), '')
  for (const mode of ['prune', 'sweep'] as const) assert.equal(teachingProblem(mode, { distil: '1' }), '', mode)
  assert.equal(teachingProblem('finetune', { distil: '0.5' }), '')
})

test('validation takes a number or a path, and a switch without a default may be left to the engine', () => {
  const field = settingsOf('finetune').find(({ key }) => key === 'validation')!
  assert.equal(field.input.kind, 'number or path')
  const jobWith = (values: Draft['values'], decimal: string) => jobOf(filled({ mode: 'prune', values }), decimal)
  for (const [typed, decimal, meant] of [
    ['0,05', ',', 0.05],
    ['1000', '.', 1000],
    ['/data/held-out.jsonl', '.', '/data/held-out.jsonl'],
  ] as const) {
    assert.equal(jobWith({ validation: typed }, decimal)['validation'], meant)
    assert.equal(problemsOf(filled({ mode: 'prune', values: { validation: typed } }), decimal).size, 0, typed)
  }
  assert.match(
    problemsOf(filled({ mode: 'prune', values: { validation: '1.5' } })).get('validation') ?? '',
    /fraction below 1, or a whole number/,
  )
  const uniform = settingsOf('prune').find(({ key }) => key === 'uniform')!
  assert.deepEqual([uniform.input.kind, uniform.standard], ['switch', undefined])
  assert.equal(jobWith({ uniform: false }, '.')['uniform'], false)
  assert.equal(Object.hasOwn(jobWith({}, '.'), 'uniform'), false)
})

test('values of settings are told as people say them, and texts of the user as they wrote them', () => {
  assert.equal(settingText('outputDtype', 'same'), 'As in the checkpoint')
  assert.equal(settingText('samplePrompts', ['same', 'none']), 'same, none')
  assert.equal(settingText('ratio', 0.5), percent(0.5, 1))
  assert.equal(settingText('rounding', 'down'), 'Down')
  assert.equal(settingText('targetModules', ['up', 'down']), 'up, down')
  assert.deepEqual([1e9, 1e-8, 0.95, 0].map(limitText), ['1,000,000,000', '1e-8', '0.95', '0'])
  assert.equal(settingText('sequenceLength', 512), '512 tokens')
  assert.deepEqual([settingText('protectLast', 1), settingText('epochs', 1)], ['1 layer', '1 epoch'])
  assert.equal(settingText('uniform', false), 'no')
  assert.equal(settingText('calibrationData', []), 'none')
  assert.equal(settingText('steps', undefined), '–')
  assert.equal(settingText('criterion', 'loraprune'), 'LoRAPrune')
  assert.equal(settingLabel('evaluation.tasks.arc_easy'), 'Task file, ARC-Easy')
  assert.equal(settingLabel('evaluation.perplexity.wiki text'), 'Text, wiki text')
})

const images = filled({
  mode: 'pipeline',
  checkpoint: '/vit',
  data: ['/images'],
  tasks: { piqa: '/piqa' },
  values: {
    sequenceLength: '128',
    samplePrompts: ['Once'],
    'evaluation.images': '/images',
    'evaluation.window': '64',
  },
})

const keysFor = (sees: 'text' | 'images') => settingsOf('prune', sees).map(({ key }) => key)

test('a model of images has no settings of text, and a language model none of images', () => {
  const keys = { text: keysFor('text'), images: keysFor('images') }
  for (const key of ['sequenceLength', 'trainOn', 'samplePrompts', 'selfData', 'distilCache', 'evaluation.window']) {
    assert.ok(keys.text.includes(key), key)
    assert.ok(!keys.images.includes(key), key)
  }
  for (const key of ['augmentation', 'imageSize', 'trainClassifier', 'evaluation.images']) {
    assert.ok(keys.images.includes(key), key)
    assert.ok(!keys.text.includes(key), key)
  }
  const shown = sectionsOf('prune', 'images').flatMap(({ settings }) => settings.map(({ key }) => key))
  assert.ok(!shown.includes('evaluation.images'), 'it has a picker')
})

test('a sweep that repeats the figure of images asks for images before a checkpoint is chosen', () => {
  const library = [
    { path: '/llama', images: null },
    { path: '/vit', images: { size: 32, classes: 10 } },
  ] as unknown as Parameters<typeof seesOf>[0]
  const sweep = { preset: 'images', lists: {}, variants: [] } as const satisfies Draft['sweep']
  const draft: Draft = { ...emptyDraft(), mode: 'sweep', sweep, evaluate: true }
  assert.equal(seesOf(library, draft), 'images')
  assert.match(problemsOf(draft, '.', seesOf(library, draft)).get('evaluation') ?? '', /labelled images/)
  assert.equal(seesOf(library, { ...draft, checkpoint: '/llama' }), 'text')
  assert.equal(seesOf(library, { ...draft, checkpoint: '/vit', sweep: emptyDraft().sweep }), 'images')
  assert.equal(seesOf(library, { ...draft, sweep: { ...sweep, preset: 'criteria' } }), null)
  assert.equal(seesOf(library, { ...draft, mode: 'pipeline' }), null)
  assert.equal(seesOf(library, { ...draft, checkpoint: '/elsewhere' }), null)
})

test('the job of a model of images goes without what was typed for text, and needs images to be scored on', () => {
  const job = jobOf(images, '.', 'images')
  assert.deepEqual([job['sequenceLength'], job['samplePrompts']], [undefined, undefined])
  assert.deepEqual(job['evaluation'], { images: '/images' })
  assert.equal(problemsOf(images, '.', 'images').size, 0)
  const unscored = { ...images, values: {} }
  assert.match(problemsOf(unscored, '.', 'images').get('evaluation') ?? '', /labelled images/)
  assert.match(problemsOf({ ...images, data: ['/a', '/b'] }, '.', 'images').get('data') ?? '', /one data set/)
})

test('presets fit images: with large batches and held-out ones, and without settings of text', () => {
  for (const preset of presetsFor('prune', 'images')) {
    assert.ok(!Object.hasOwn(preset.values, 'sequenceLength'), preset.name)
    const draft = applyPreset(images, preset)
    assert.ok(isPreset(draft, preset, 'images'), preset.name)
    assert.equal(draft.values['evaluation.images'], '/images', 'what is scored is no matter of length')
    assert.equal(problemsOf(draft, '.', 'images').size, 0, preset.name)
    assert.ok(Number(draft.values['validation']) < 1)
  }
})
