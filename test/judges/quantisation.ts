import { existsSync, rmSync, statSync } from 'node:fs'
import { GgufFile } from '../../engine/checkpoint/gguf/file.ts'
import type { GgufType } from '../../engine/contract/export.ts'
import { fileTypeOf } from '../../engine/export/gguf/tensor-types.ts'
import { sample, shared } from '../e2e/secateur.ts'
import type { Judge, Judging } from './judge.ts'
import { askLlamaCpp, llamaCppLibraries } from './llama-cpp-program.ts'
import { NotHere } from './not-here.ts'
import { exportGguf, importGguf, measurePerplexity } from './outputs.ts'
import { publishedSmollm2 } from './smollm2.ts'
import { table } from './tables.ts'

/** A model, the text whose perplexity is measured, and the one that is calibrated with, if it is: that may take minutes. */
interface Trial {
  model: string
  checkpoint: string
  text: string
  calibration: string | null
  windows: { window: number; windows: number }
}

/** What one type makes of a model. */
interface Row {
  model: string
  type: GgufType
  bytes: number
  perplexity: number
  /** What llama.cpp's own quantiser makes of it; nothing is quantised in float16. */
  theirs?: { bytes: number; perplexity: number; same: boolean }
  /** Perplexity with --calibrate, of the types whose errors it makes up for. */
  calibrated?: number
  agrees: boolean
}

const types: readonly GgufType[] = ['f16', 'q8_0', 'q6_k', 'q5_k_m', 'q4_k_m', 'q4_0']
/** Types whose bytes are llama.cpp's, and whose errors --calibrate makes up for. */
const oneScale: ReadonlySet<GgufType> = new Set(['q8_0', 'q4_0'])
/**
 * By what part perplexity may be above that of llama.cpp's quantiser, and a file larger than its own. A file that is smaller
 * by more is another choice, which its perplexity does not judge.
 */
const tolerance = { perplexity: 0.005, larger: 0.01, smaller: 0.05 }

/** llama.cpp's own quantiser makes files of the same models: bytes and perplexities of both. */
export const quantisationJudge: Judge = {
  name: 'quantisation',
  title: "Quantisation, beside llama.cpp's own quantiser",
  async judge(judging) {
    const { workshop, say } = judging
    if (process.platform !== 'linux')
      throw new NotHere("llama.cpp's quantiser is called in its library for Linux alone")
    const library = llamaCppLibraries(say)
    const trials = await trialsOf(judging)
    const rows: Row[] = []
    for (const trial of trials) rows.push(...(await rowsOf(trial, library, judging)))
    for (const row of rows) if (!row.agrees) say(`DIFFERS ${JSON.stringify(row)}`)
    const { versions } = await askLlamaCpp([], workshop.folder, say)
    return {
      agrees: rows.every(({ agrees }) => agrees),
      versions,
      text: `Each model is exported as GGUF, and its float32 file is quantised by llama.cpp's own quantiser. Secateur measures the
perplexity of all files, with weights taken out of their blocks. "Same" stands where every tensor has the same bytes.
Calibrated is \`--calibrate\`, of the types whose errors it makes up for, and in brackets the part that it wins back of what
the type loses against float16, on a text of the same kind. Files of models whose channels are no whole blocks are smaller than
llama.cpp's: they are filled up to whole ones, where it stores such a matrix in float16.

${table(rows.map((row) => rowCells(row, rows)))}

${trials.map(sentenceOf).join('\n')}`,
    }
  },
}

/** Models that were trained: random weights have no perplexity to lose. */
async function trialsOf({ workshop, say }: Judging): Promise<Trial[]> {
  const ofSample = { text: sample('heldout.txt'), calibration: sample('train.jsonl') }
  const few = { window: 128, windows: 64 }
  const trials: Trial[] = [{ model: 'the sample', checkpoint: sample('model'), ...ofSample, windows: few }]
  const stories = shared('stories260K')
  if (existsSync(stories)) trials.push({ model: 'stories260K', checkpoint: stories, ...ofSample, windows: few })
  const wiki = shared('wikitext-2/wiki.test.raw')
  trials.push({
    model: 'SmolLM2-135M-Instruct',
    checkpoint: await importGguf(publishedSmollm2(workshop, say), workshop.path('quantisation-smollm2')),
    text: existsSync(wiki) ? wiki : ofSample.text,
    calibration: null,
    windows: { window: 256, windows: 16 },
  })
  return trials
}

async function rowsOf({ model, checkpoint, ...trial }: Trial, library: string, judging: Judging): Promise<Row[]> {
  const { workshop, say } = judging
  const path = (what: string) => workshop.path(`quantised-${model}-${what}.gguf`)
  const write = async (what: string, type: GgufType, settings: { calibrate?: string } = {}): Promise<string> => {
    const written = await exportGguf(checkpoint, path(what), type, { proof: false, ...settings })
    if ('refused' in written) throw new Error(`${model} as ${type}: ${written.refused}`)
    return written.file
  }
  const measure = async (file: string) => (await measurePerplexity(file, trial.text, trial.windows)).value
  const whole = await write('f32', 'f32')
  say(`llama.cpp quantises ${model}`)
  const others = new Map<GgufType, string>(
    types.filter((type) => type !== 'f16').map((type) => [type, path(`${type}-theirs`)]),
  )
  await quantiseByLlamaCpp({ library, from: whole, to: others }, judging)
  const rows: Row[] = []
  for (const type of types) {
    const ours = await write(type, type)
    const [bytes, perplexity] = [statSync(ours).size, await measure(ours)]
    const other = others.get(type)
    if (other === undefined) {
      rows.push({ model, type, bytes, perplexity, agrees: true })
      say(`${model} | ${type} | ${bytes} | ${number(perplexity)}`)
      continue
    }
    const same = sameTensors(ours, other)
    const theirs = { bytes: statSync(other).size, perplexity: same ? perplexity : await measure(other), same }
    const { calibration } = trial
    const calibrated =
      calibration !== null && oneScale.has(type)
        ? await measure(await write(`${type}-calibrated`, type, { calibrate: calibration }))
        : undefined
    const agrees =
      bytes < theirs.bytes * (1 - tolerance.smaller) ||
      (perplexity <= theirs.perplexity * (1 + tolerance.perplexity) && bytes <= theirs.bytes * (1 + tolerance.larger))
    const row = { model, type, bytes, perplexity, theirs, agrees, ...(calibrated !== undefined && { calibrated }) }
    say(Object.values(rowCells(row, [...rows, row])).join(' | '))
    rows.push(row)
    for (const file of [ours, other]) rmSync(file)
  }
  return rows
}

/** Quantises a file to others by their types, all in one process. */
async function quantiseByLlamaCpp(
  { library, from, to }: { library: string; from: string; to: ReadonlyMap<GgufType, string> },
  { workshop }: Judging,
): Promise<void> {
  const questions = [...to].map(([type, file]) => ({
    model: from,
    what: type,
    library,
    from,
    to: file,
    fileType: fileTypeOf(type),
  }))
  const { verdicts } = await workshop.ask('llama_cpp_quantise.py', questions)
  const failed = verdicts.find(({ error }) => error !== undefined)
  if (failed) throw new Error(`llama.cpp could not quantise ${from} as ${failed.what}: ${failed.error}`)
}

/** Whether two files hold the same tensors: types, shapes and bytes. */
function sameTensors(one: string, other: string): boolean {
  using first = new GgufFile(one)
  using second = new GgufFile(other)
  return (
    first.tensors.size === second.tensors.size &&
    [...first.tensors].every(([name, entry]) => {
      const twin = second.tensors.get(name)
      return twin?.type === entry.type && bytesOf(first, entry).equals(bytesOf(second, twin))
    })
  )
}

function bytesOf(file: GgufFile, { begin, end }: { begin: number; end: number }): Buffer {
  const bytes = Buffer.alloc(end - begin)
  file.readAt(bytes, begin)
  return bytes
}

const number = (value: number) => value.toFixed(3)

function rowCells({ model, type, bytes, perplexity, theirs, calibrated }: Row, rows: readonly Row[]) {
  const best = rows.find((row) => row.model === model && row.type === 'f16')!.perplexity
  const lost = perplexity - best
  const wonBack = (value: number) => `${((100 * (perplexity - value)) / lost).toFixed(0)} %`
  return {
    model,
    type,
    bytes: String(bytes),
    perplexity: number(perplexity),
    "llama.cpp's bytes": theirs ? String(theirs.bytes) : '',
    "llama.cpp's perplexity": theirs ? `${number(theirs.perplexity)}${theirs.same ? ' (same)' : ''}` : '',
    calibrated:
      calibrated === undefined
        ? ''
        : lost > 0 && calibrated < perplexity
          ? `${number(calibrated)} (${wonBack(calibrated)})`
          : number(calibrated),
  }
}

const sentenceOf = ({ model, text, calibration, windows: { window, windows } }: Trial) =>
  `- ${model}: ${windows} windows of ${window} tokens of ${nameOf(text)}; ${calibration === null ? 'not calibrated here, which takes minutes' : `calibrated with ${nameOf(calibration)}`}.`

const nameOf = (file: string) => file.split(/[/\\]/).slice(-2).join('/')
