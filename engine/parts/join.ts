import {
  type BesideDense,
  type EvaluateJob,
  type JobContext,
  type ResultEvent,
  type Scores,
  scoresOf,
} from '../contract/index.ts'
import type { RunFolder } from '../runs/run-folder.ts'
import { badFile } from '../shared/errors.ts'
import { StagedFiles } from '../shared/staged-files.ts'
import { sum } from '../shared/sum.ts'
import { joinLmEval, joinPredictions, joinRows } from './joined-files.ts'
import { warningsOf } from './part-log.ts'
import { finishedResult, type PartResult } from './part-results.ts'
import type { Part } from './split.ts'

/**
 * Makes one evaluation of its parts, all of which are over: what it returns and leaves in its folder is what one process
 * would, but that it took the most memory of any part, and the seconds of all of them.
 *
 * @param known.told warnings that have been told already
 * @param known.replaces which files may be replaced
 * @throws SecateurError that names the file of a part that is missing or damaged, with what to do
 */
export function joinParts(
  { evaluation }: EvaluateJob,
  parts: readonly Part[],
  folder: RunFolder,
  { emit }: Pick<JobContext, 'emit'>,
  { told = new Set(), replaces }: { told?: ReadonlySet<string>; replaces?: (path: string) => boolean } = {},
): ResultEvent {
  const results = parts.map(finishedResult)
  const result = joinResults(results)
  const warnings = new Set(parts.flatMap(({ job }) => warningsOf(job.out)))
  for (const message of warnings) if (!told.has(message)) emit({ type: 'warning', message })
  const { predictions, lmEvalJson } = evaluation
  using files = new StagedFiles(replaces)
  const writes = [
    ...joinPredictions(folder.path, results),
    ...(predictions === undefined ? [] : [joinRows(files, predictions, results)]),
    ...(lmEvalJson === undefined ? [] : joinLmEval(files, lmEvalJson, results, predictions !== undefined)),
  ]
  folder.check()
  for (const write of writes) write()
  files.commit()
  keepScores(folder, result)
  return result
}

/** @throws SecateurError where the parts are not of one checkpoint */
export function joinResults(results: readonly PartResult[]): ResultEvent {
  const { parameters } = results[0]!
  for (const { part, parameters: other } of results)
    if (other.before !== parameters.before || other.after !== parameters.after)
      throw badFile(
        part.job.out,
        undefined,
        `has scored a model of ${other.after} parameters, and other parts one of ${parameters.after}: the checkpoint was changed meanwhile; evaluate it in another folder`,
      )
  const compared = results.flatMap((each) => each.compared ?? [])
  const peaks = results.flatMap(({ peakMemoryBytes }) => peakMemoryBytes ?? [])
  return {
    type: 'result',
    parameters,
    ...joinScores(results.map(({ scores }) => scores)),
    ...(compared.length > 0 && {
      dense: joinScores(compared.map(({ dense }) => dense)),
      besideDense: joinBeside(compared.map(({ besideDense }) => besideDense)),
    }),
    ...(peaks.length > 0 && { peakMemoryBytes: Math.max(...peaks) }),
    seconds: sum(results.map(({ seconds }) => seconds)),
  }
}

/** Scores of one checkpoint: parts have tasks and texts of their own, and the rest is that of one of them. */
const joinScores = (scores: readonly Scores[]): Scores =>
  scores.reduce((all, { tasks, perplexity, ...rest }) => ({
    ...all,
    tasks: { ...all.tasks, ...tasks },
    perplexity: { ...all.perplexity, ...perplexity },
    ...rest,
  }))

const joinBeside = (found: readonly BesideDense[]): BesideDense =>
  found.reduce((all, { tasks, images, texts }) => {
    const scored = all.images ?? images
    return {
      tasks: { ...all.tasks, ...tasks },
      ...(scored && { images: scored }),
      texts: { ...all.texts, ...texts },
    }
  })

/** Keeps scores in the order in which one process comes to them. */
function keepScores(folder: RunFolder, joined: ResultEvent) {
  const { dense, besideDense } = joined
  folder.writeScores({ ...(dense && { dense }) })
  folder.writeScores({ ...folder.readScores(), result: scoresOf(joined)! })
  if (besideDense) folder.writeScores({ ...folder.readScores(), besideDense })
}
