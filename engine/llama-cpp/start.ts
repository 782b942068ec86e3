import { SecateurError } from '../shared/errors.ts'
import { sizeText } from '../shared/size-text.ts'
import { cardBuildWords } from './card-builds.ts'
import { type LlamaCpp, titleOf } from './installed.ts'
import type { StartedOn } from './messages.ts'
import { LlamaCppModel } from './model.ts'
import { probe } from './probe.ts'

/** Graphics cards that are a driver's work on the processor, by their names: slower than the build for the processor. */
const software = /llvmpipe|lavapipe|swiftshader/i
/** What names them to llama.cpp all the same. */
const namedDevices = 'GGML_VK_VISIBLE_DEVICES'

/**
 * Starts a build, if what it was built for computes here.
 *
 * @param cardBytes that graphics cards must have free
 * @throws SecateurError that says why the build is of no use here
 */
export async function startBuild(
  llama: LlamaCpp,
  cardBytes: number,
  { signal }: { signal: AbortSignal },
): Promise<LlamaCppModel> {
  using made = new DisposableStack()
  const model = made.use(await explained(llama, signal, () => LlamaCppModel.start(llama, { signal })))
  const why = whyOfNoUse(llama, model.on, cardBytes)
  if (why !== null) throw new SecateurError('unsupported', why)
  made.move()
  return model
}

/**
 * What a build computes on: it is started for a moment, and ready for no model.
 *
 * @throws SecateurError that says why the build is of no use here
 */
export async function probeBuild(llama: LlamaCpp, { signal }: { signal: AbortSignal }): Promise<StartedOn> {
  const on = await explained(llama, signal, () => probe(llama, { signal }))
  const why = whyOfNoUse(llama, on, 0)
  if (why !== null) throw new SecateurError('unsupported', why)
  return on
}

async function explained<Started>(
  llama: LlamaCpp,
  signal: AbortSignal,
  start: () => Promise<Started>,
): Promise<Started> {
  try {
    return await start()
  } catch (error) {
    if (!(error instanceof SecateurError) || llama.build === 'processor' || signal.aborted) throw error
    // A system that lacks a library names it, and not what brings it.
    const message = `${error.message}; it needs ${cardBuildWords[llama.build].needs}`
    throw new SecateurError('unsupported', message, { cause: error })
  }
}

/** Why a build that has started is of no use for a model; null where it is. */
export function whyOfNoUse(
  { build }: Pick<LlamaCpp, 'build'>,
  { cards, freeBytes }: StartedOn,
  cardBytes: number,
  environment: NodeJS.ProcessEnv = process.env,
): string | null {
  if (build === 'processor') return null
  if (cards.length === 0) return `it finds no graphics card: it needs ${cardBuildWords[build].needs}`
  const drawn = cards.find((name) => software.test(name))
  if (drawn !== undefined && !environment[namedDevices])
    return `${drawn} computes on the processor, which the build for the processor does faster (${namedDevices}=0 takes it all the same)`
  if (freeBytes < cardBytes)
    return `the model needs about ${sizeText(cardBytes)} of memory on ${deviceText(cards)}, and ${sizeText(freeBytes)} are free`
  return null
}

/** What computes, by its name. */
export const deviceText = (cards: readonly string[]): string => (cards.length === 0 ? 'processor' : cards.join(' + '))

/** A build that was passed over, and why, in words. */
export const passedText = (llama: Pick<LlamaCpp, 'build'>, error: SecateurError): string =>
  `${titleOf(llama)}: ${error.message}`
