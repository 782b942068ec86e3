import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pathsOfJob } from '../../../electron/services/job-paths.ts'

const told = (job: object) => pathsOfJob(job).map(({ field, path, use }) => `${use} ${field} ${path}`)

test('the paths of a job are told from the marks in its schema, by the names of earlier versions too', () => {
  const job = {
    kind: 'prune',
    checkpoint: '/model',
    data: ['/a.txt', '/b.txt'],
    out: '/run',
    field: '/no/path',
    samplePrompts: ['/no/path'],
    calibrationData: ['/c.txt'],
    validation: '/v.txt',
    evaluation: {
      tasks: { piqa: '/piqa' },
      perplexity: { wiki: '/wiki' },
      fewShotFrom: { piqa: '/train' },
      predictions: '/rows',
      prompts: ['/no/path'],
    },
  }
  const paths = [
    'read checkpoint /model',
    'read data /a.txt',
    'read data /b.txt',
    'written out /run',
    'read calibrationData /c.txt',
    'read validation /v.txt',
    'read evaluation.tasks.piqa /piqa',
    'read evaluation.perplexity.wiki /wiki',
    'read evaluation.fewShotFrom.piqa /train',
    'written evaluation.predictions /rows',
  ]
  assert.deepEqual(told(job), paths)
  const { calibrationData, evaluation, ...rest } = job
  const { fewShotFrom, predictions, ...scored } = evaluation
  const former = {
    ...rest,
    calibration: calibrationData,
    evaluation: { ...scored, shotsFrom: fewShotFrom, rows: predictions },
  }
  assert.deepEqual(told(former).toSorted(), paths.toSorted())
  assert.deepEqual(told({ kind: 'merge', checkpoint: '/model', adapter: '/adapter', out: '/merged' }), [
    'read checkpoint /model',
    'read adapter /adapter',
    'written out /merged',
  ])
  assert.deepEqual(told({ kind: 'prune', checkpoint: '/model', validation: 0.1 }), ['read checkpoint /model'])
  assert.deepEqual(told({ checkpoint: '/model' }), [])
})

test('so are those of a sweep, whatever its runs share or vary', () => {
  const sweep = {
    kind: 'sweep',
    checkpoint: '/model',
    out: '/sweep',
    base: { data: '/one.txt', evaluation: { tasks: { piqa: '/piqa' } } },
    values: {
      data: [['/a.txt'], ['/b.txt']],
      calibration: [['/c.txt']],
      ratio: [0.5],
      evaluation: [{ rows: '/rows' }],
    },
    variants: [{ calibrationData: ['/d.txt'] }, { seed: 1 }],
  }
  assert.deepEqual(told(sweep), [
    'read checkpoint /model',
    'written out /sweep',
    'read base.data /one.txt',
    'read base.evaluation.tasks.piqa /piqa',
    'read values.data /a.txt',
    'read values.data /b.txt',
    'read values.calibrationData /c.txt',
    'written values.evaluation.predictions /rows',
    'read variants.calibrationData /d.txt',
  ])
})

test('paths of a cluster that is reached over ssh are no paths of this computer', () => {
  const cluster = { setup: '/setup.sh', secateur: '/secateur' }
  const sweep = { kind: 'sweep', checkpoint: '/model', out: '/sweep', cluster }
  assert.deepEqual(told(sweep), [
    'read checkpoint /model',
    'written out /sweep',
    'read cluster.setup /setup.sh',
    'read cluster.secateur /secateur',
  ])
  const far = { ...sweep, cluster: { ...cluster, via: 'ssh://lab', remote: '/there' } }
  assert.deepEqual(told(far), ['read checkpoint /model', 'written out /sweep'])
})
