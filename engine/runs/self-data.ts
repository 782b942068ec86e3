import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { hashFile } from '../checkpoint/hash.ts'
import { knownHash } from '../checkpoint/known-hash.ts'
import type { FinetuneJob, JobContext, PruneJob } from '../contract/index.ts'
import { readPrompts, type SelfPrompt } from '../data/self-data.ts'
import { batchedPrompts } from '../evaluation/batched-prompts.ts'
import { generateBatch } from '../evaluation/generation.ts'
import type { Checkpoint } from '../models/checkpoint.ts'
import type { Model } from '../models/family.ts'
import { stopIdsOf } from '../models/stop-ids.ts'
import { cacheFolder } from '../shared/cache-folder.ts'
import { badSetting, refusalOf } from '../shared/errors.ts'
import { Random } from '../shared/random.ts'
import { shortHash } from '../shared/short-hash.ts'
import type { Tokenizer } from '../tokenizer/tokenizer-type.ts'
import { tokenizerFileNames } from '../models/model-tokenizer.ts'
import { SelfDataFiles } from './self-data-file.ts'
import { StageProgress } from './stage-progress.ts'

/** What the rows are written with. */
export interface SelfDataWork {
  checkpoint: Checkpoint
  tokenizer: Tokenizer
  /** The folder of the run. */
  folder: string
  /** The dense model; loaded where rows are to be written. */
  model: () => Promise<Model>
}

/** A row that is to be written: the prompt of a row of the data, with draws of its own. */
interface WantedRow {
  index: number
  prompt: SelfPrompt
}

/**
 * Lets the dense model write rows of training text, after Self-Data Distillation (Thangarasa et al., arXiv 2410.09982): its own
 * answers to the questions of the data, and continuations of the beginnings of texts. Rows lie in the run folder as they
 * are written, so that a run that was stopped goes on with them, and whole in the cache folder for other runs, where that can
 * be written.
 *
 * @param rows numbers of the rows of the data that prompts may be drawn from
 * @returns the file of rows
 * @throws SecateurError where the model would write a row twice
 */
export async function writeSelfData(
  job: FinetuneJob | PruneJob,
  rows: readonly number[],
  { checkpoint, tokenizer, folder, model }: SelfDataWork,
  { emit, signal }: Pick<JobContext, 'emit' | 'signal'>,
): Promise<string> {
  const stop = stopIdsOf(checkpoint)
  const drawn = drawRows(rows, job)
  const key = await keyOf(job, checkpoint, { drawn, stop }, { emit, signal })
  const [here, cached] = [folder, join(cacheFolder(), 'self-data', key)].map(
    (place) => new SelfDataFiles(place, key),
  ) as [SelfDataFiles, SelfDataFiles]
  if (await here.isWhole(signal)) return here.file
  if (await isCached()) {
    await here.copyFrom(cached, signal)
    tell(`The dense model wrote the ${job.selfData} rows of text in an earlier run: they are taken from there.`)
    return here.file
  }
  await write()
  await here.finish(signal)
  await keepForOthers()
  return here.file

  /** Rows that cannot be read are written again. */
  async function isCached(): Promise<boolean> {
    try {
      return await cached.isWhole(signal)
    } catch (error) {
      refusalOf(error)
      return false
    }
  }

  async function keepForOthers(): Promise<void> {
    try {
      await cached.copyFrom(here, signal)
    } catch (error) {
      const { message } = refusalOf(error)
      emit({
        type: 'warning',
        message: `The rows that the dense model wrote cannot be kept for other runs: ${message}. The run goes on with its own copy of them.`,
      })
    }
  }

  function tell(message: string) {
    emit({ type: 'log', level: 'info', message })
  }

  async function write(): Promise<void> {
    const prompts = await readPrompts(job.data, new Set(drawn), {
      ...job,
      tokenizer,
      promptTokens: job.selfDataPrompt,
      signal,
    })
    const wanted = drawn.map((row, index): WantedRow => ({ index, prompt: prompts.get(row)! }))
    const { batches, tooLong } = batchedPrompts(
      wanted,
      ({ prompt }) => prompt.ids.length,
      checkpoint.config,
      job.selfDataTokens,
    )
    if (tooLong > 0)
      emit({
        type: 'warning',
        message: `${tooLong} of the ${drawn.length} prompts leave no room in the ${checkpoint.config.maxPositions} positions of the model: no rows are written for them.`,
      })
    if (batches.length === 0) throw badSetting('selfData', 'no prompt of the data leaves the model room to write')
    let ends = 0
    const done = here.open(batches.map((batch) => (ends += batch.length)))
    const dense = await model()
    const progress = new StageProgress('writing self-data', emit)
    const random = new Random(job.seed).fork('self-data')
    let [first, cut] = [0, 0]
    for (const batch of batches) {
      if (first >= done) {
        const report = (share: number) => progress.report(Math.floor(first + share * batch.length), ends)
        report(0)
        const written = await generateBatch(
          dense,
          batch.map(({ index, prompt }) => ({ ids: prompt.ids, random: random.fork(`row ${index}`) })),
          {
            tokens: job.selfDataTokens,
            temperature: job.selfDataTemperature,
            topP: job.selfDataTopP,
            stop,
            signal,
            onTokens: (tokens) => report(tokens / job.selfDataTokens),
          },
        )
        here.append(written.map(({ ids }, row) => batch[row]!.prompt.rowOf(ids)))
        cut += written.filter(({ stopped }) => !stopped).length
      }
      first += batch.length
    }
    progress.report(ends, ends)
    tell(
      `The dense model wrote ${ends - done} rows of text; ${cut} of them reached ${job.selfDataTokens} tokens and were cut there.`,
    )
  }
}

/**
 * Rows in a random order, each as often as the others.
 *
 * @throws SecateurError where the likeliest continuation of a row would be written twice
 */
function drawRows(
  rows: readonly number[],
  { selfData: count, selfDataTemperature, seed }: FinetuneJob | PruneJob,
): number[] {
  if (selfDataTemperature === 0 && count > rows.length)
    throw badSetting(
      'selfData',
      `${count} rows are wanted of ${rows.length} prompts, and at temperature 0 each prompt gives one: take fewer, or a temperature above 0`,
    )
  const random = new Random(seed).fork('self-data prompts')
  const drawn: number[] = []
  for (let round = 0; drawn.length < count; round++)
    for (const place of random.fork(`round ${round}`).permutation(rows.length)) drawn.push(rows[place]!)
  return drawn.slice(0, count)
}

/** Follows from everything that the rows follow from. */
async function keyOf(
  job: FinetuneJob | PruneJob,
  checkpoint: Checkpoint,
  found: { drawn: readonly number[]; stop: readonly number[] },
  { emit, signal }: Pick<JobContext, 'emit' | 'signal'>,
): Promise<string> {
  const reading = new StageProgress('reading weights', emit)
  const hash = await knownHash(checkpoint, { signal, progress: (done, total) => reading.report(done, total) })
  const ofTokenizer = tokenizerFileNames.map((name) => join(checkpoint.folder, name))
  const files = [...ofTokenizer.filter((file) => existsSync(file)), ...job.data]
  const hashes: string[] = []
  for (const file of files) hashes.push(await hashFile(file, signal))
  const { selfDataTokens, selfDataPrompt, selfDataTemperature, selfDataTopP, seed, field, trainOn, badRows, int8 } = job
  const settings = [
    selfDataTokens,
    selfDataPrompt,
    selfDataTemperature,
    selfDataTopP,
    seed,
    field,
    trainOn,
    badRows,
    int8,
  ]
  const key = createHash('sha256').update(JSON.stringify([1, hash, hashes, settings, found]))
  return shortHash(key.digest('hex'))
}
