import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Method, methods, type Problem } from '../../../electron/contract/index.ts'
import { pathsOfRequest } from '../../../electron/services/allowed-paths.ts'
import { pathsOfJob } from '../../../electron/services/job-paths.ts'
import { ProblemError } from '../../../electron/problems.ts'
import { jobFrom } from '../../../engine/entries/command-line/options.ts'
import { commandSchema, finetuneSchema, pruneSchema, sweepSchema } from '../../../engine/contract/index.ts'
import { badSetting, SecateurError } from '../../../engine/shared/errors.ts'
import { expandSweep } from '../../../engine/sweeps/expand.ts'
import { sample, TestApp } from '../../unit/electron/services.ts'
import type { Input, Target } from '../target.ts'

const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const job = {
  kind: 'prune',
  checkpoint: 'model',
  data: ['train.jsonl'],
  out: 'run',
  ratio: 0.5,
  steps: 4,
  evaluation: { tasks: { piqa: 'piqa.jsonl' }, perplexity: { held: 'held.txt' }, prompts: ['a'] },
}
const sweep = {
  kind: 'sweep',
  checkpoint: 'model',
  out: 'sweep',
  base: { data: ['a.txt'], steps: 2 },
  values: { ratio: [0.2, 0.5], frequency: [1, 2] },
  variants: [{ criterion: 'loraprune' }, { criterion: 'random' }],
}

/** Job files of the command line, and jobs as the app and run.json have them. */
export const jobs: Target = {
  name: 'jobs',
  names: 'field',
  seeds: () => [
    { 'job.json': json(job) },
    { 'job.json': json({ ...job, rows: 2, activations: 'on' }) },
    { 'job.json': json({ kind: 'finetune', checkpoint: 'm', data: ['a'], out: 'o', epochs: 2 }) },
    { 'job.json': json({ kind: 'evaluate', checkpoint: 'm', evaluation: { fewShot: 2, latency: true } }) },
    { 'job.json': json({ kind: 'merge', checkpoint: 'm', adapter: 'a', out: 'o' }) },
    { 'job.json': json(sweep) },
  ],
  read(folder) {
    const file = join(folder, 'job.json')
    const value = JSON.parse(asText(file)) as object
    const parsed = commandSchema.safeParse({ type: 'run', job: value, resume: false })
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      throw badSetting(issue!.path.join('.'), issue!.message)
    }
    if (parsed.data.type !== 'run') return
    const { job: found } = parsed.data
    pathsOfJob(found)
    if (found.kind === 'sweep') expandSweep(found)
  },
}

/** What is no JSON is refused by who reads the file, and no matter of the schemas. */
function asText(file: string): string {
  const text = readFileSync(file, 'utf8')
  try {
    JSON.parse(text)
    return text
  } catch {
    return 'null'
  }
}

/** The file that --job names. */
export const jobFiles: Target = {
  name: 'job-files',
  seeds: jobs.seeds,
  names: 'field',
  read(folder) {
    const flags = { job: join(folder, 'job.json') }
    const schemas = { prune: pruneSchema, finetune: finetuneSchema, sweep: sweepSchema } as const
    const errors = Object.entries(schemas).flatMap(([kind, schema]) => {
      try {
        jobFrom(kind as keyof typeof schemas, schema, {}, flags)
        return []
      } catch (error) {
        if (error instanceof SecateurError) return [error]
        throw error
      }
    })
    if (errors[0]) throw errors[0]
  },
}

let app: TestApp | null = null

/** Requests that are safe to make with any input: they begin no run and read no file that is large. */
const requests: Partial<Record<Method, unknown>> = {
  'settings.set': { theme: 'dark', threads: 2, historyColumns: ['name'] },
  'folders.list': { path: '@sample' },
  'library.import': { path: '@sample/model' },
  'library.update': { id: 1, name: 'a', notes: 'b', tags: ['c'], favourite: true },
  'libraryFolders.add': { path: '@sample', use: 'watched' },
  'libraryFolders.dismiss': { ids: [1], dismissed: true },
  'libraryFolders.drive': { path: '@sample' },
  'library.get': { id: 1 },
  'library.lineage': { id: 1 },
  'datasets.register': { path: '@sample/train.jsonl' },
  'datasets.update': { id: 1, name: 'a', kind: 'text', field: 'text', tags: [] },
  'datasets.preview': { id: 1, checkpoint: 1, offset: 0, limit: 2 },
  'runs.plan': { base: sweep.base, values: sweep.values, variants: sweep.variants },
  'runs.update': { id: 1, name: 'a', notes: 'b', tags: ['c'] },
  'runs.tag': { ids: [1], add: ['a'], remove: ['b'] },
  'runs.archive': { ids: [1], archived: true },
  'runs.series': { id: 1, names: ['loss'], points: 10 },
  'runs.snapshot': { id: 1, step: 2 },
  'runs.load': { id: 1 },
  'runs.log': { id: 1, limit: 10 },
  'runs.importFolder': { path: '@sample' },
  'runs.importArchive': { path: '@sample/README.md' },
  'history.query': { search: 'a b', states: ['done'], columns: ['name'], sort: { column: 'name', descending: true } },
  'history.table': {
    group: 'setting.ratio',
    open: ['0.5'],
    where: [{ column: 'metric.loss', op: '<', value: 2 }],
    columns: ['metric.loss'],
  },
  'history.export': { search: 'a', columns: ['name'], format: 'csv' },
  'compare.get': { ids: [1, 2], points: 10 },
  'compare.scatter': { ids: [1], x: 'setting.ratio', y: 'metric.loss' },
}

export const contractA: Target = {
  name: 'requests',
  keepsFiles: true,
  names: 'field',
  async seeds() {
    app = await TestApp.open()
    // It may not look at anything but the sample, whatever it is asked.
    app.platform.allowedFolders = [sample, app.dataFolder]
    return Object.entries(requests).map(([method, input]): Input => ({ 'request.json': json({ method, input }) }))
  },
  async read(folder) {
    // Inputs that are kept must not name a place on one computer.
    const text = asText(join(folder, 'request.json')).replaceAll('@sample', sample)
    const request = JSON.parse(text) as { method?: unknown; input?: unknown } | null
    if (typeof request !== 'object' || request === null || typeof request.method !== 'string') return
    if (!Object.hasOwn(requests, request.method) && Object.hasOwn(methods, request.method)) return
    const method = request.method as Method
    const parsed = Object.hasOwn(methods, method) ? methods[method][0].safeParse(request.input) : null
    if (parsed?.success) pathsOfRequest(method, parsed.data as never)
    let problem: Problem
    try {
      problem = await app!.problem(method, request.input)
    } catch {
      return
    }
    throw ProblemError.of(problem)
  },
  async close() {
    await app?.remove()
    app = null
  },
}
