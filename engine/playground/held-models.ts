import { type Choice, chooseBackend } from '../backends/choose.ts'
import type {
  HeldModels,
  LoadedModel,
  ParsedServiceParams,
  WritingModel,
  Written,
  WrittenPiece,
} from '../contract/index.ts'
import { ownMemory } from '../estimate/memory.ts'
import { badSetting, SecateurError } from '../shared/errors.ts'
import { sum } from '../shared/sum.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { OwnWriter } from './own-writer.ts'
import type { Writer } from './writer.ts'

/** Models that stay loaded in this process, the one that was used last at the end. */
const held = new Map<string, { model: WritingModel; writer: Writer }>()
/** One thing after the other is computed: TensorFlow.js has one back end for all. */
let turn: Promise<unknown> = Promise.resolve()
let choice: Choice | undefined

const keyOf = ({ checkpoint, adapter }: WritingModel): string => JSON.stringify([checkpoint, adapter])

function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  const result = turn.then(work)
  turn = result.catch(() => {})
  return result
}

/** Loads a model that is not loaded yet. Others are released for it where it does not fit beside them. */
export const loadModel = (
  { model, keep, ...machine }: ParsedServiceParams<'loadModel'>,
  control: WorkControl,
): Promise<LoadedModel> =>
  inTurn(async () => {
    control.signal.throwIfAborted()
    const key = keyOf(model)
    const known = held.get(key)
    if (known) return known.writer.facts
    const chosen = (choice ??= await chooseBackend(machine))
    const kept = new Set(keep.map(keyOf))
    for (;;) {
      try {
        const writer = await OwnWriter.open(model, chosen, () => bytesBeside(key), control)
        held.set(key, { model, writer })
        return writer.facts
      } catch (error) {
        const idle = [...held.keys()].find((other) => !kept.has(other))
        if (!(error instanceof SecateurError) || error.kind !== 'does-not-fit' || idle === undefined) throw error
        release(idle)
      }
    }
  })

/** Lets a model write that is loaded. */
export const writeText = (
  { model, input, settings }: ParsedServiceParams<'writeText'>,
  { signal, send }: WorkControl & { send: (piece: WrittenPiece) => void },
): Promise<Written> =>
  inTurn(async () => {
    signal.throwIfAborted()
    const key = keyOf(model)
    const entry = held.get(key)
    if (!entry) throw badSetting('model', `${model.adapter ?? model.checkpoint} is not loaded`)
    // The one that was used last is released last.
    held.delete(key)
    held.set(key, entry)
    return await entry.writer.write(input, settings, { signal, onPiece: send })
  })

export const releaseModels = ({ paths }: ParsedServiceParams<'releaseModels'>): Promise<HeldModels> =>
  inTurn(async () => {
    for (const [key, { model }] of held)
      if (paths.includes(model.checkpoint) || (model.adapter && paths.includes(model.adapter))) release(key)
    const models = [...held.values()].map(({ model, writer }) => ({ ...model, weightBytes: writer.facts.weightBytes }))
    return { models, memoryBytes: ownMemory() }
  })

const bytesBeside = (key: string): number =>
  sum([...held].filter(([other]) => other !== key).map(([, { writer }]) => writer.facts.weightBytes))

function release(key: string): void {
  held.get(key)?.writer[Symbol.dispose]()
  held.delete(key)
}
