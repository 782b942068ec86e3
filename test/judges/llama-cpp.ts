import { type GgufFile, writeGgufFiles } from './gguf-files.ts'
import type { Judge, Judging } from './judge.ts'
import { askLlamaCpp, type LlamaCppAnswers, type LlamaCppQuestion } from './llama-cpp-program.ts'
import { type OwnAnswers, ownAnswers } from './own-answers.ts'
import { difference, table } from './tables.ts'

/** By how much the log-likelihood of a token may differ: at worst, and on average. */
const tolerances = ({ type, model }: GgufFile) => {
  // llama.cpp looks the GELU up in a table of float16.
  if (type === 'f32') return model === 'gemma3_text' ? { worst: 1e-2, mean: 2e-3 } : { worst: 1e-4, mean: 1e-5 }
  // llama.cpp rounds what goes into a product to the type of the weights, or to 8 bits where they are stored in blocks.
  return type === 'f16' ? { worst: 5e-2, mean: 5e-3 } : { worst: 1, mean: 1e-1 }
}

export interface Comparison extends GgufFile {
  /** Of the log-likelihood of a token: how far it differs at worst, and on average. */
  worst?: number
  mean?: number
  /** Whether the greedy continuation and the ids of texts are the same. */
  greedy?: boolean
  ids?: boolean
  agrees: boolean
}

/** llama.cpp loads every GGUF file that Secateur writes. */
export const llamaCppJudge: Judge = {
  name: 'llama-cpp',
  title: 'GGUF, loaded by llama.cpp',
  async judge(judging) {
    const files = await writeGgufFiles(judging)
    const { versions, compared } = await compare(files, judging)
    for (const one of compared) if (!one.agrees) judging.say(`DIFFERS ${JSON.stringify(one)}`)
    return {
      agrees: compared.every(({ agrees }) => agrees),
      versions,
      text: `Models with the fixtures' architectures and random weights, wide enough for blocks of 256 weights, the sample and, where
it is there, stories260K; as they are, pruned alike in every layer, and pruned to layers that differ. Cells have the worst
difference of the log-likelihood of a token between llama.cpp and Secateur, and in brackets the mean one, or why there is no
file. Secateur reads the checkpoint where the file is in float32, and the file itself where it is not, and computes with its
weights in float32; llama.cpp rounds what goes into a product to the type of the weights, and to 8 bits for types that store
blocks, and looks Gemma's GELU up in a table of float16. "Same" says whether greedy continuations of the float32 files, and
ids of texts, are equal.

${filesTable(compared)}`,
    }
  },
}

/** What llama.cpp and Secateur compute of the same files, side by side. */
export async function compare(files: readonly GgufFile[], { workshop, say }: Judging, allowed = tolerances) {
  const written = files.filter((file): file is GgufFile & { file: string } => file.file !== undefined)
  const asked: { own: OwnAnswers; question: LlamaCppQuestion }[] = []
  say(`Secateur reads ${written.length} files`)
  for (const { file, type, checkpoint } of written) {
    // A file in float32 says what the checkpoint says; others say what is left of it.
    const isCheckpoint = type === 'f32'
    asked.push(await ownAnswers(file, { of: isCheckpoint ? checkpoint : file, goesOn: isCheckpoint }))
  }
  say('llama.cpp reads the same')
  const { versions, answers } = await askLlamaCpp(
    asked.map(({ question }) => question),
    workshop.folder,
    say,
  )
  let next = 0
  const compared = files.map((file): Comparison => {
    if (file.file === undefined) return { ...file, agrees: false }
    const [{ own }, theirs] = [asked[next]!, answers[next]!]
    next++
    return compareOne(file, { own, theirs, allowed: allowed(file) })
  })
  return { versions, compared }
}

function compareOne(
  file: GgufFile,
  {
    own,
    theirs,
    allowed,
  }: { own: OwnAnswers; theirs: LlamaCppAnswers['answers'][number]; allowed: { worst: number; mean: number } },
): Comparison {
  if (theirs.error !== undefined) return { ...file, refused: `llama.cpp: ${theirs.error}`, agrees: false }
  const differences = own.logLikelihoods.flatMap((row, at) =>
    row.map((value, token) => Math.abs(value - (theirs.logLikelihoods![at]![token] ?? -Infinity))),
  )
  const worst = Math.max(...differences)
  const mean = differences.reduce((sum, value) => sum + value, 0) / differences.length
  const greedy = own.continuation ? String(own.continuation) === String(theirs.continuation) : undefined
  const ids = own.ids.every((row, at) => String(row) === String(theirs.ids![at]))
  const agrees = worst <= allowed.worst && mean <= allowed.mean && greedy !== false && ids
  return { ...file, worst, mean, ids, agrees, ...(greedy === undefined ? {} : { greedy }) }
}

function filesTable(compared: readonly Comparison[]): string {
  const column = ({ what, type }: Comparison) => (what === 'pruned' && type !== 'f32' ? type : `${what}, ${type}`)
  return table(
    [...Map.groupBy(compared, ({ model }) => model)].map(([model, ofModel]) => ({
      model,
      ...Object.fromEntries(
        ofModel.map((one) => [column(one), one.refused ?? `${difference(one.worst)} (${difference(one.mean)})`]),
      ),
      same: ofModel.every(({ greedy, ids }) => greedy !== false && ids !== false) ? 'yes' : 'NO',
    })),
  )
}
