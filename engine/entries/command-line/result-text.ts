import type {
  Compatibility,
  CriterionName,
  DataCheck,
  Exported,
  ImageFacts,
  JobEstimate,
  PlanResult,
  Proof,
  ResultEvent,
  RowCounts,
  Trainable,
  Validation,
} from '../../contract/index.ts'
import type { BenchResult } from '../../jobs/bench.ts'
import type { EveryDevice } from '../../jobs/devices.ts'
import type { GenerateResult } from '../../jobs/generate.ts'
import type { Inspection } from '../../jobs/inspect.ts'
import type { KeptResult } from '../../jobs/kept-files.ts'
import type { Measurement } from '../../jobs/measure.ts'
import type { SpeedResult } from '../../jobs/speed.ts'
import { sizeText } from '../../shared/size-text.ts'
import { numberText } from '../../shared/number-text.ts'
import { duration, sizesOf, removalText, lossText, top1Text } from './event-text.ts'
import { aligned } from './aligned.ts'
import { describePlan } from './plan-text.ts'
import { scoresText } from './scores-text.ts'
import { examplesText, latencyText } from './finished-text.ts'
import { describeSpeeds } from './speed-text.ts'

/** What `--estimate` answers; the criterion is that of a pruning job. */
export type EstimateResult = JobEstimate & { type: 'result'; criterion: CriterionName | null; data: DataCheck }
export type Outcome =
  | ResultEvent
  | EstimateResult
  | Inspection
  | GenerateResult
  | Measurement
  | EveryDevice
  | BenchResult
  | PlanResult
  | SpeedResult
  | KeptResult

function describeEstimate(result: EstimateResult): string {
  const { seconds, secondsFrom, freeMemoryBytes, freeDiskBytes, placement, scoring, criterion, warnings } = result
  const lines = [
    `${sizesOf(result)} (free: ${sizeText(freeMemoryBytes)} of memory, ${sizeText(freeDiskBytes)} of disk)`,
    `time: ${seconds === null ? 'not known' : `about ${duration(seconds)}`}. ${secondsFrom}`,
  ]
  if (result.trainable) lines.push(trainableText(result.trainable))
  if (result.removal) lines.push(removalText(result.removal))
  if (result.compatibility) lines.push(...compatibilityLines(result.compatibility))
  if (placement) lines.push(`weights: ${placement.detail}`)
  if (scoring) {
    lines.push('scoring, beside the fine-tuning:')
    for (const [name, cost] of Object.entries(scoring))
      lines.push(
        `${name === criterion ? '*' : ' '} ${name.padEnd(23)}${duration(cost.seconds).padStart(12)}, ${sizeText(cost.memoryBytes)} of memory`,
      )
  }
  for (const warning of warnings) lines.push(`warning: ${warning}`)
  if (result.data.rows) lines.push(rowsText(result.data.rows, result.data.loss))
  return lines.join('\n')
}

const trainableText = ({ parameters, fraction }: Trainable): string =>
  `trainable: ${numberText(parameters)} parameters, ${(100 * fraction).toFixed(2)}% of all`

/** What becomes of the rows of training data. */
function rowsText({ rows, documents }: RowCounts, loss: string | null): string {
  return `rows: ${numberText(documents)} of ${numberText(rows)} are learnt${loss === null ? '' : `; ${loss}`}`
}

/** A line for each program: whether it loads the checkpoint, and why. */
const compatibilityLines = (answers: readonly Compatibility[]): string[] =>
  answers.map(({ program, loads, why }) => `${program}: ${loads}. ${why}`)

function validationText({ file, seed, rows, last, lastTop1, best, written }: Validation): string {
  const from =
    file === null ? `${numberText(rows)} rows held out by seed ${seed}` : `${numberText(rows)} rows of ${file}`
  const least =
    best === null ? '' : `; least ${lossText(best.loss)} after step ${numberText(best.step)}${top1Text(best.top1)}`
  return `validation loss: ${lossText(last)} after the last step${top1Text(lastTop1)}${least}, on ${from}; the adapter of step ${numberText(written)} is written`
}

/** What a command came to, as lines for a person. */
export function describe(result: Outcome): string {
  const lines: string[] = []
  if ('text' in result) return ''
  if ('measurements' in result) {
    for (const [index, { influence, linearity, overlap, correlation }] of result.measurements.entries())
      lines.push(
        `layer ${index}: influence ${influence.toFixed(4)}, linearity ${linearity.toFixed(4)}; LoRAPrune and true gradients agree on ${wholePercent(overlap.heads)} of heads and ${wholePercent(overlap.channels)} of channels (by lot ${wholePercent(result.chance)}), rank correlation ${correlation.heads.toFixed(2)} and ${correlation.channels.toFixed(2)}`,
      )
    return lines.join('\n')
  }
  if ('speeds' in result) return describeSpeeds(result)
  if ('mostBytes' in result) return describeKept(result)
  if ('plans' in result) return describePlan(result)
  if ('backends' in result) return describeDevices(result)
  if ('models' in result) return describeBench(result)
  if ('secondsFrom' in result) return describeEstimate(result)
  if ('layers' in result) {
    lines.push(
      `${result.family}, ${numberText(result.parameters)} parameters, ${result.dtype}, ${sizeText(result.bytes)}`,
    )
    const { images } = result
    const reads = images ? '' : `, vocabulary ${numberText(result.vocabularySize)}`
    lines.push(
      `hidden ${result.hiddenSize}, head size ${result.headSize}${reads}, positions ${numberText(result.maxPositions)}`,
    )
    if (images) lines.push(...imageLines(images))
    if (result.quantisation) lines.push(quantisedText(result.quantisation))
    for (const [index, { heads, keyValueHeads, channels }] of result.layers.entries())
      lines.push(`layer ${index}: ${heads} heads, ${keyValueHeads} key/value heads, ${channels} channels`)
    lines.push(...compatibilityLines(result.compatibility))
    for (const message of result.warnings) lines.push(`warning: ${message}`)
    return lines.join('\n')
  }
  if (result.parameters && result.parameters.after !== result.parameters.before) {
    const { before, after } = result.parameters
    lines.push(`parameters: ${numberText(before)} -> ${numberText(after)} (${((100 * after) / before).toFixed(1)}%)`)
  }
  if (result.trainable) lines.push(trainableText(result.trainable))
  if (result.removal) lines.push(removalText(result.removal))
  if (result.validation) lines.push(validationText(result.validation))
  lines.push(...scoresText(result))
  if (result.latency) lines.push(...latencyText(result.latency))
  if (result.peakMemoryBytes !== undefined) lines.push(`peak memory: ${sizeText(result.peakMemoryBytes)}`)
  if (result.density)
    lines.push(
      `density: ${(100 * result.density.before).toFixed(1)}% before merging, ${(100 * result.density.after).toFixed(1)}% after`,
    )
  lines.push(...examplesText(result))
  if (result.export) lines.push(...exportedText(result.export))
  if (result.compatibility) lines.push(...compatibilityLines(result.compatibility))
  if (result.report !== undefined) lines.push(`report: ${result.report}`)
  if (result.adapter !== undefined) lines.push(`adapter: ${result.adapter}`)
  if (result.checkpoint !== undefined) lines.push(`checkpoint: ${result.checkpoint}`)
  return lines.join('\n')
}

const pixelsText = ({ width, height }: { width: number; height: number }) => `${width} x ${height}`

/** What a model of images looks at, tells apart, and is shown. */
function imageLines({ size, patch, classes, preprocessing }: ImageFacts): string[] {
  const named = `: ${classes.slice(0, 5).join('; ')}${classes.length > 5 ? '; ...' : ''}`
  const lines = [
    `images ${pixelsText(size)} in patches of ${pixelsText(patch)}, ${classes.length === 0 ? 'no classifier' : `${numberText(classes.length)} classes${named}`}`,
  ]
  if (preprocessing) {
    const { resize, filter, crop, mean, deviation, source } = preprocessing
    const resized = resize === null ? 'not resized' : `resized ${resize} (${filter})`
    const cut = crop ? `, the middle ${pixelsText(crop)} cut out` : ''
    const from = source === null ? ', the usual values: no file says' : ''
    lines.push(`images are ${resized}${cut}; mean ${mean.join(', ')}, deviation ${deviation.join(', ')}${from}`)
  }
  return lines
}

/** Files that are kept for llama.cpp, or were until now. */
function describeKept({ folder, files, bytes, mostBytes, removed }: KeptResult): string {
  const each = files.map((file) => [
    sizeText(file.bytes),
    file.type,
    new Date(file.used).toISOString().slice(0, 10),
    file.checkpoint,
  ])
  const count = `${numberText(files.length)} ${files.length === 1 ? 'file' : 'files'}, ${sizeText(bytes)}`
  return [
    ...aligned(each.map((cells) => cells.toReversed())),
    `${count} in ${folder}${removed ? ': removed' : `, of ${sizeText(mostBytes)} at most`}`,
  ].join('\n')
}

/** Types by how many weights have them, and how many bits they take. */
function quantisedText({ bitsPerWeight, types }: NonNullable<Inspection['quantisation']>): string {
  const all = Object.values(types).reduce((sum, count) => sum + count, 0)
  const shares = Object.entries(types)
    .toSorted(([, one], [, other]) => other - one)
    .map(([name, count]) => `${name} ${((100 * count) / all).toFixed(1)}%`)
  return `quantised: ${bitsPerWeight.toFixed(2)} bits for a weight (${shares.join(', ')})`
}

function exportedText({ file, bytes, type, layout, bitsPerWeight, proof }: Exported): string[] {
  const shape = layout === undefined ? '' : `, ${layout} layout`
  const lines = [`${file}: ${type}${shape}, ${sizeText(bytes)}, ${bitsPerWeight.toFixed(2)} bits a weight`]
  if (proof) lines.push(proofText(proof))
  return lines
}

const proofText = ({ texts, tokens, worst, mean }: Proof): string =>
  `read back and run: log-likelihoods of ${numberText(tokens)} tokens (${texts} texts) differ from the checkpoint's by at most ` +
  `${short(worst)} (mean ${short(mean)})`

const short = (value: number) => String(Number(value.toPrecision(2)))

const rate = (value: number) => `${numberText(Number(value.toPrecision(3)))} tokens/s`

function describeBench({ backend, device, scale, products, copies, models }: BenchResult): string {
  const lines = [`${backend} on ${device}${scale > 1 ? `, all sizes divided by ${scale}` : ''}`]
  for (const { arithmetic, form, transposed, shape, teraflops } of products)
    lines.push(
      `product ${arithmetic.padEnd(7)}${form.padEnd(8)} [${shape.join(', ')}]${transposed ? ' transposed' : ''}: ${teraflops.toPrecision(3)} TFLOP/s`,
    )
  if (copies)
    lines.push(
      `copies: ${copies.uploadGigabytesPerSecond.toFixed(1)} GB/s to the card, ${copies.downloadGigabytesPerSecond.toFixed(1)} from it, ${copies.onCardGigabytesPerSecond.toFixed(1)} on it`,
    )
  for (const model of models) {
    lines.push(
      `${model.shape} in ${model.weights}, ${model.rows} x ${model.length} tokens: training ${rate(model.trainingTokensPerSecond)}, pruning ${rate(model.pruningTokensPerSecond)} (scoring ${model.scoringSeconds.toPrecision(3)} s), prompts ${rate(model.promptTokensPerSecond)}, generation ${rate(model.generatedTokensPerSecond)}${model.deviceBytes === null ? '' : `, ${sizeText(model.deviceBytes)} on the card`}`,
    )
  }
  return lines.join('\n')
}

function describeDevices({ chosen, backends, llamaCpp }: EveryDevice): string {
  return [
    ...backends.map(({ name, works, detail, memoryBytes, gigaflops }) => {
      const mark = name === chosen ? '*' : works ? ' ' : '-'
      const memory = memoryBytes === null ? '' : `, ${sizeText(memoryBytes)}`
      const speed = gigaflops === null ? '' : `, ${numberText(Math.round(gigaflops))} GFLOP/s`
      return `${mark} ${name.padEnd(11)} ${detail}${memory}${speed}`
    }),
    'llama.cpp, which runs finished checkpoints:',
    ...llamaCpp.map(({ build, works, detail }) => `${works ? ' ' : '-'} ${build.padEnd(11)} ${detail}`),
  ].join('\n')
}

const wholePercent = (value: number) => `${(100 * value).toFixed(0)}%`
