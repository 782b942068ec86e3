import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { criteria, criterionName, type SweepJob, sweepSchema } from '../engine/contract/index.ts'
import { changedSettings, settingsTable } from '../engine/sweeps/changed-settings.ts'
import { expandSweep } from '../engine/sweeps/expand.ts'
import { recipesJob } from './experiments-recipes.ts'
import { visionJob } from './experiments-vision.ts'
import { sampleTaskFile, sampleTasks } from './sample-tasks.ts'

const root = join(import.meta.dirname, '..')
const sample = join(root, 'resources/sample')

/** What flags of `npm run experiments` say. */
export const experimentFlags = (args: string[]) =>
  parseArgs({
    args,
    options: {
      vision: { type: 'boolean', default: false },
      recipes: { type: 'boolean', default: false },
      checkpoint: { type: 'string' },
      data: { type: 'string', multiple: true },
      documents: { type: 'string' },
      perplexity: { type: 'string', multiple: true },
      windows: { type: 'string' },
      limit: { type: 'string', default: '20' },
      out: { type: 'string' },
      steps: { type: 'string' },
      seeds: { type: 'string', default: '3' },
      parallel: { type: 'string', default: String(availableParallelism()) },
      settings: { type: 'boolean', default: false },
    },
  }).values

/** The sweep that the flags ask for: over all criteria, over those on images, or over recipes. */
export function experimentJob(values: ReturnType<typeof experimentFlags>): SweepJob {
  if (values.vision) return visionJob(values)
  const job = criteriaJob(values)
  if (!values.recipes) return job
  return recipesJob(job, Number(values.seeds), values.out ?? join(root, 'runs/experiments-recipes'))
}

/** The sweep that compares all criteria: at 20 % and 50 %, healed and not, with several seeds. */
function criteriaJob(values: ReturnType<typeof experimentFlags>): SweepJob {
  const checkpoint = values.checkpoint ?? join(sample, 'model')
  const ofSample = resolve(checkpoint) === join(sample, 'model')
  return sweepSchema.parse({
    kind: 'sweep',
    checkpoint,
    out: values.out ?? join(root, 'runs/experiments'),
    parallel: Number(values.parallel),
    keepCheckpoints: false,
    base: {
      data: values.data ?? [join(sample, 'train.jsonl')],
      ...(values.documents === undefined ? {} : { maxDocuments: Number(values.documents) }),
      steps: Number(values.steps ?? 100),
      ratioOf: 'parameters',
      batchSize: 8,
      sequenceLength: 64,
      frequency: 5,
      rank: 16,
      alpha: 32,
      dropout: 0,
      learningRate: 2e-3,
      saveEvery: 50,
      evaluation: {
        tasks: ofSample ? Object.fromEntries(sampleTasks.map((name) => [name, sampleTaskFile(name)])) : {},
        limit: Number(values.limit),
        perplexity: Object.fromEntries(
          // Paragraphs of the sample's text stand apart as those of WikiText do; any other layout is foreign to its model.
          (values.perplexity ?? [`wikitext2=${join(sample, 'heldout.txt')}`]).map((text) => text.split('=', 2)),
        ),
        ...(values.windows === undefined ? {} : { maxWindows: Number(values.windows) }),
      },
    },
    // Seeds go around criteria: a sweep that is stopped has run every criterion equally often.
    variants: [true, false].flatMap((healing) =>
      [0.5, 0.2].flatMap((ratio) =>
        Array.from({ length: Number(values.seeds) }, (_, seed) => seed).flatMap((seed) =>
          criterionName.options.map((criterion) => {
            // Single weights leave all at once, and the adapter is trained over what is left.
            const iterative = healing && criteria[criterion].removes !== 'weights'
            return { criterion, ratio, healing, schedule: iterative ? 'iterative' : 'one-shot', seed }
          }),
        ),
      ),
    ),
  })
}

/** Files are told of in words. */
const files = ['data', 'evaluation.tasks', 'evaluation.perplexity', 'evaluation.images']

/** What all runs have that is not the default, as a table in Markdown. */
export const experimentSettings = (job: SweepJob): string =>
  settingsTable(changedSettings(expandSweep(job).map((run) => run.job)).filter(({ name }) => !files.includes(name)))
