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
import { chooseRunner } from '../llama-cpp/choose.ts'
import { orElse } from '../llama-cpp/or-else.ts'
import { openCheckpoint } from '../models/checkpoint.ts'
import { badSetting, SecateurError } from '../shared/errors.ts'
import { sum } from '../shared/sum.ts'
import type { WorkControl } from '../shared/work-control.ts'
import { LlamaCppWriter } from './llama-cpp-writer.ts'
import { OwnWriter } from './own-writer.ts'
import type { Writer } from './writer.ts'

/** Models that stay loaded, the one that was used last at the end. */
const held = new Map<string, { model: WritingModel; writer: Writer }>()
/** One thing after the other is computed: TensorFlow.js has one back end for all. */
let turn: Promise<unknown> = Promise.resolve()
let choice: Promise<Choice> | undefined

const keyOf = ({ checkpoint, adapter, runner, type }: WritingModel): string =>
  JSON.stringify([checkpoint, adapter, runner, type])

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
    const kept = new Set(keep.map(keyOf))
    const writer = await opened(model, { machine, kept }, control)
    held.set(key, { model, writer })
    return writer.facts
  })

interface Opening {
  machine: Pick<ParsedServiceParams<'loadModel'>, 'device' | 'threads'>
  /** Models that are asked for too. */
  kept: ReadonlySet<string>
}

async function opened(model: WritingModel, { machine, kept }: Opening, control: WorkControl): Promise<Writer> {
  const computes = () => (choice ??= chooseBackend(machine))
  const { runner, type } = model
  using checkpoint = openCheckpoint(model.checkpoint)
  const adapter = model.adapter !== undefined
  const chosen = await chooseRunner(checkpoint, { runner, type, device: machine.device, adapter, computes })
  return await orElse<Writer>(chosen, runner, {
    onLlamaCpp: (on) =>
      makingRoom(kept, () => LlamaCppWriter.open(model, { chosen: on, threads: machine.threads, computes }, control)),
    onSecateur: async (why) => {
      const settings = { choice: await computes(), why, othersBytes: () => bytesBeside(keyOf(model)) }
      return await makingRoom(kept, () => OwnWriter.open(model, settings, control))
    },
    begun: () => false,
  })
}

/** Releases models that are not asked for, one after the other, until what is opened fits. */
async function makingRoom<Result>(kept: ReadonlySet<string>, open: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await open()
    } catch (error) {
      const idle = [...held.keys()].find((other) => !kept.has(other))
      if (!(error instanceof SecateurError) || error.kind !== 'does-not-fit' || idle === undefined) throw error
      release(idle)
    }
  }
}

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
    try {
      return await entry.writer.write(input, settings, { signal, onPiece: send })
    } finally {
      // What has crashed is loaded anew when it is asked again.
      if (entry.writer.isOver) release(key)
    }
  })

export const releaseModels = ({ paths }: ParsedServiceParams<'releaseModels'>): Promise<HeldModels> =>
  inTurn(async () => {
    for (const [key, { model }] of held)
      if (paths.includes(model.checkpoint) || (model.adapter && paths.includes(model.adapter))) release(key)
    const models = [...held.values()].map(({ model, writer: { facts } }) => ({
      ...model,
      weightBytes: facts.weightBytes,
      ran: facts.ran,
    }))
    const elsewhere = sum([...held.values()].map(({ writer }) => writer.heldBytes))
    return { models, memoryBytes: ownMemory() + elsewhere }
  })

/** Bytes of the weights of other models in this very process. */
const bytesBeside = (key: string): number =>
  sum(
    [...held]
      .filter(([other, { writer }]) => other !== key && writer.facts.ran.runner === 'secateur')
      .map(([, { writer }]) => writer.facts.weightBytes),
  )

function release(key: string): void {
  held.get(key)?.writer[Symbol.dispose]()
  held.delete(key)
}
