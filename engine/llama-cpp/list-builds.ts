import type { LlamaCppBuild } from '../contract/index.ts'
import { refusalOf } from '../shared/errors.ts'
import { sizeText } from '../shared/size-text.ts'
import { cardBuilds, howToInstall } from './card-builds.ts'
import { findCardBuilds, findLlamaCpp, type LlamaCpp, nameOf } from './installed.ts'
import { deviceText, probeBuild } from './start.ts'

/**
 * Every build of llama.cpp for this platform, in the order in which they are tried: what it computes on, why it is not used, or
 * how it is installed. Each that is installed is started for a moment.
 */
export async function listBuilds({ signal }: { signal: AbortSignal }): Promise<LlamaCppBuild[]> {
  const [cards, processor] = await Promise.all([listCardBuilds(signal), describeProcessor(signal)])
  return [...cards, processor]
}

/** One after the other: one that is started holds memory of the card, which another would not find free. */
async function listCardBuilds(signal: AbortSignal): Promise<LlamaCppBuild[]> {
  const installed = findCardBuilds()
  const listed: LlamaCppBuild[] = []
  for (const { name, bytes, unpackedBytes } of cardBuilds()) {
    const llama = installed.find(({ build }) => build === name)
    const how = howToInstall([name])
    if (llama) listed.push(await described(llama, signal))
    else if (how !== null) {
      const detail = `is not installed: ${how} (${sizeText(bytes)} to download, ${sizeText(unpackedBytes)} of disk)`
      listed.push({ build: name, installed: false, works: false, detail })
    }
  }
  return listed
}

async function describeProcessor(signal: AbortSignal): Promise<LlamaCppBuild> {
  const processor = findLlamaCpp()
  return 'missing' in processor
    ? { build: 'processor', installed: false, works: false, detail: processor.missing }
    : await described(processor, signal)
}

async function described(llama: LlamaCpp, signal: AbortSignal): Promise<LlamaCppBuild> {
  const { build } = llama
  try {
    const { cards, freeBytes } = await probeBuild(llama, { signal })
    const free = cards.length === 0 ? '' : `, ${sizeText(freeBytes)} free`
    const detail = `${nameOf(llama)}, computes on ${cards.length === 0 ? 'the processor' : deviceText(cards)}${free}`
    return { build, installed: true, works: true, detail }
  } catch (caught) {
    return { build, installed: true, works: false, detail: `is not used: ${refusalOf(caught).message}` }
  }
}
