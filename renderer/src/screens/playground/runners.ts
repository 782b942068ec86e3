import type { engine, RunnerChoice } from '../../../../electron/contract/index.ts'
import { counted } from '../../format.ts'

/** What can run a checkpoint, as it is chosen: llama.cpp in each of its types, or Secateur. */
export const runnerOptions: readonly {
  value: string
  label: string
  /** The same beside the name of a checkpoint. */
  short: string
  detail: string
  choice: RunnerChoice
}[] = [
  {
    value: 'auto',
    label: 'Automatic',
    short: 'Automatic',
    detail: 'llama.cpp as F16, a GGUF file as it is; Secateur where that cannot',
    choice: { runner: 'auto' },
  },
  {
    value: 'f16',
    label: 'llama.cpp, F16',
    short: 'F16',
    detail: '16 bits a weight',
    choice: { runner: 'llama.cpp', type: 'f16' },
  },
  {
    value: 'q8_0',
    label: 'llama.cpp, Q8_0',
    short: 'Q8_0',
    detail: '8.5 bits a weight',
    choice: { runner: 'llama.cpp', type: 'q8_0' },
  },
  {
    value: 'q4_k_m',
    label: 'llama.cpp, Q4_K_M',
    short: 'Q4_K_M',
    detail: 'about 4.8 bits a weight',
    choice: { runner: 'llama.cpp', type: 'q4_k_m' },
  },
  {
    value: 'secateur',
    label: 'Secateur',
    short: 'Secateur',
    detail: 'as it trains and scores',
    choice: { runner: 'secateur' },
  },
]

export const runnerValue = ({ runner, type }: RunnerChoice): string =>
  runner === 'llama.cpp' ? (type ?? 'f16') : runner

export const runnerOf = (value: string): RunnerChoice =>
  runnerOptions.find((option) => option.value === value)?.choice ?? { runner: 'auto' }

/** How the weights are held. */
export const typeName = ({ runner, type }: Pick<engine.Ran, 'runner' | 'type'>): string =>
  runner === 'llama.cpp' ? type.toUpperCase() : type

/** What runs a model and how it holds the weights. */
export const heldText = (ran: engine.Ran): string => `${ran.name}, ${typeName(ran)}`

/** Builds of llama.cpp for graphics cards that were tried before, and why they did not run it. */
export const passedText = (passed: engine.Ran['passed']): string =>
  passed === undefined ? '' : `. llama.cpp not on ${passed.join('; not on ')}`

/** What ran a model, how near it is to Secateur, and why not the other. */
export function ranText(ran: engine.Ran): string {
  const { runner, device, threads, proof, why, passed } = ran
  const onCard = runner === 'llama.cpp' && device !== 'processor'
  const how = `${onCard ? ` on ${device}` : ''}${threads === null ? '' : `, ${counted(threads, 'thread')}`}`
  const near = proof ? `; log-probabilities within ${proof.mean.toPrecision(2)} of Secateur's on average` : ''
  const other = why === null ? '' : `. Not on ${runner === 'secateur' ? 'llama.cpp' : 'Secateur'}: ${why}`
  return `${heldText(ran)}${how}${near}${other}${passedText(passed)}`
}
