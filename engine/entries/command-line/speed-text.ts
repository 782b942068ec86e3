import type { ModelSpeed } from '../../contract/index.ts'
import type { SpeedResult } from '../../jobs/speed.ts'
import { numberText } from '../../shared/number-text.ts'
import { sizeText } from '../../shared/size-text.ts'
import { aligned } from './aligned.ts'

/** Speeds as a table, each but the first of a type with its ratio to that. */
export function describeSpeeds({ speeds }: SpeedResult): string {
  const lengths = speeds[0]!.lengths.map(({ prompt }) => prompt)
  const head = [
    'checkpoint',
    'type',
    'parameters',
    'weights',
    'memory',
    ...lengths.flatMap((length) => [`prompt of ${length}`, `after it`]),
  ]
  const rows = speeds.map((speed) => {
    const first = speeds.find(({ ran }) => ran.type === speed.ran.type)!
    return [
      speed.checkpoint,
      speed.ran.type,
      numberText(speed.parameters),
      sizeText(speed.weightBytes),
      sizeText(speed.memoryBytes),
      ...speed.lengths.flatMap((at, index) => {
        const beside = first === speed ? undefined : first.lengths[index]
        return [
          rateText(at.promptTokensPerSecond, beside?.promptTokensPerSecond),
          rateText(at.generatedTokensPerSecond, beside?.generatedTokensPerSecond),
        ]
      }),
    ]
  })
  const run = [...new Set(speeds.map(runText))].join('; ')
  return [...aligned([head, ...rows]), `tokens/s, medians, on ${run}`].join('\n')
}

function rateText(value: number, beside: number | undefined): string {
  const text = numberText(value < 100 ? Number(value.toFixed(1)) : Math.round(value))
  return beside === undefined ? text : `${text} (${(value / beside).toFixed(2)}x)`
}

const runText = ({ ran: { name, device, threads } }: ModelSpeed): string =>
  `${name}, ${threads === null ? device : `${device}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`}`
