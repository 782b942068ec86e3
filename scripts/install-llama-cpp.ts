// npm run install-llama-cpp -- vulkan|cuda: fetches llama.cpp for graphics cards, which the set-up leaves out because few
// computers can use all of it. With --into FOLDER it goes there instead of into the cache folder; with --if-any a platform for
// which there is none is no error.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import {
  cardBuildNames,
  cardBuilds,
  cardBuildsFolder,
  cardBuildWords,
  platformsWithCards,
  platformText,
  thisPlatform,
} from '../engine/llama-cpp/card-builds.ts'
import { exitCodeOf, SecateurError } from '../engine/shared/errors.ts'
import { sizeText } from '../engine/shared/size-text.ts'
import { installBuild } from './llama-cpp/install-build.ts'
import { npmOf } from './llama-cpp/npm-settings.ts'

const root = resolve(import.meta.dirname, '..')
const usage = `Usage: npm run install-llama-cpp -- ${cardBuildNames.join('|')} [--into FOLDER] [--if-any]`

/** @throws SecateurError where there is no such build, or it cannot be installed */
async function main(): Promise<void> {
  const { positionals, values } = readArguments()
  const [name] = positionals
  const build = cardBuilds().find((each) => each.name === name)
  if (positionals.length !== 1 || !cardBuildNames.some((each) => each === name))
    throw new SecateurError('bad-setting', usage)
  if (build === undefined) {
    const message = `there is no llama.cpp for ${name} for ${platformText(thisPlatform)}: only for ${platformsWithCards.map(platformText).join(' and ')}${process.platform === 'darwin' ? '. What is installed on Macs computes with Metal' : ''}`
    if (!values['if-any']) throw new SecateurError('unsupported', message)
    return console.error(`secateur: ${message}`)
  }
  const into = values.into ?? cardBuildsFolder()
  const { title, needs } = cardBuildWords[build.name]
  console.error(
    `secateur: llama.cpp for ${title}: ${sizeText(build.bytes)} to download, ${sizeText(build.unpackedBytes)} in ${into}`,
  )
  const folder = await installBuild(build, { ...npmOf(root), into, onBytes: progress(build.bytes) })
  console.log(`secateur: installed in ${folder}. It needs ${needs}: "npx secateur devices" says whether it finds them`)
}

function readArguments() {
  try {
    return parseArgs({
      options: { into: { type: 'string' }, 'if-any': { type: 'boolean', default: false } },
      allowPositionals: true,
    })
  } catch (error) {
    throw new SecateurError('bad-setting', `${(error as Error).message}. ${usage}`)
  }
}

/** Says how much has come, and how long the rest will take, on a terminal. */
function progress(total: number): (bytes: number) => void {
  const started = performance.now()
  let said = started
  return (bytes) => {
    const now = performance.now()
    if (!process.stderr.isTTY || (now - said < 250 && bytes < total)) return
    said = now
    const left = Math.ceil(((now - started) / 1000) * (total / bytes - 1))
    process.stderr.write(`\r${sizeText(bytes)} of ${sizeText(total)}, ${left} s left  ${bytes < total ? '' : '\n'}`)
  }
}

try {
  await main()
} catch (error) {
  console.error(`secateur: ${error instanceof SecateurError ? error.message : (error as Error).stack}`)
  process.exitCode = exitCodeOf(error)
}
