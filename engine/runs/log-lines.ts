import type { EngineEvent, Estimate, LogEntry, Phase, PruningSnapshot, RowCounts } from '../contract/index.ts'
import { numberText, percentText } from '../shared/number-text.ts'
import { sizeText } from '../shared/size-text.ts'

type Line = Pick<LogEntry, 'level' | 'message'>

const info = (message: string): Line => ({ level: 'info', message })

/** What the log of a run says of an event: what was decided, and what came of it; nothing of mere progress. */
export function linesOf(event: EngineEvent): Line[] {
  switch (event.type) {
    case 'started':
      return startedLines(event)
    case 'estimate':
      return estimateLines(event.estimate)
    case 'data':
      return [info(rowsText(event.rows))]
    case 'pruned':
      return [info(selectionText(event.snapshot))]
    case 'saved':
      return [info(`the state after step ${numberText(event.step)} is saved`)]
    case 'validated': {
      const loss = event.loss?.toFixed(4) ?? 'not a number'
      return [
        info(`validation loss after step ${numberText(event.step)}: ${loss}${event.best ? ', the least so far' : ''}`),
      ]
    }
    case 'phase':
      return [info(phaseTexts[event.phase])]
    case 'log':
      return [{ level: event.level, message: event.message }]
    case 'warning':
      return [{ level: 'warning', message: event.message }]
    case 'result':
      return [info(event.seconds === undefined ? 'done' : `done after ${Math.round(event.seconds)} s`)]
    case 'error':
      return [{ level: event.kind === 'interrupted' ? 'info' : 'error', message: event.message }]
    default:
      return []
  }
}

const phaseTexts: Record<Phase, string> = {
  'scoring dense': 'scoring the dense checkpoint',
  reading: 'reading data and weights',
  'writing self-data': 'letting the dense model write training data',
  training: 'training',
  writing: 'writing the result',
  scoring: 'scoring',
  comparing: 'comparing with the dense checkpoint',
  proving: 'reading back what was written, and running it',
  sweeping: 'beginning with the runs of the sweep',
}

function startedLines({ backend, threads, device, refused = [] }: Extract<EngineEvent, { type: 'started' }>): Line[] {
  const on = device === undefined ? '' : ` on ${device}`
  return [
    info(`back end: ${backend}${on}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`),
    ...refused.map(({ name, reason }) => info(`back end ${name} is not used: ${reason}`)),
  ]
}

function estimateLines({ parameters, memoryBytes, diskBytes, placement }: Estimate): Line[] {
  const { before, after } = parameters
  const change = after === before ? '' : `, ${numberText(after)} of them left afterwards`
  const disk = diskBytes > 0 ? ` and ${sizeText(diskBytes)} of disk` : ''
  return [
    info(`${numberText(before)} parameters${change}; about ${sizeText(memoryBytes)} of memory${disk} are needed`),
    ...(placement ? [info(placement.detail)] : []),
  ]
}

const rowsText = ({ rows, documents }: RowCounts): string =>
  `${numberText(documents)} of ${numberText(rows)} rows of the training data are trained on${
    rows > documents ? `, ${numberText(rows - documents)} are not` : ''
  }`

/** What is gone of so many. */
const removedText = (all: number, left: number): string => percentText(all > 0 ? 1 - left / all : 0)

/** How much is masked after a selection. */
export function selectionText({ step, planned, layers }: PruningSnapshot): string {
  let [heads, keptHeads, channels, keptChannels] = [0, 0, 0, 0]
  for (const layer of layers) {
    heads += layer.heads.kept.length
    for (const kept of layer.heads.kept) keptHeads += kept
    const { kept, count: ofLayer } = layer.channels
    channels += ofLayer
    // Bins hold fractions of their channels, and all about as many.
    if (kept.length > 0) keptChannels += (ofLayer * kept.reduce((sum, share) => sum + share, 0)) / kept.length
  }
  return (
    `selection after step ${numberText(step)}: ${removedText(heads, keptHeads)} of the heads and ` +
    `${removedText(channels, keptChannels)} of the channels are removed, ${percentText(planned)} planned`
  )
}
