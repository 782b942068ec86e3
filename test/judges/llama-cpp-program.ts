import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { cacheFolder } from '../../engine/shared/cache-folder.ts'
import { NotHere } from './not-here.ts'

const version = '3.22.1'
/** The packages with llama.cpp built for a processor. Those for graphics cards (540 MB for CUDA) are not wanted. */
const builds: Partial<Record<string, string>> = {
  'linux-x64': 'linux-x64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'mac-x64',
  'darwin-arm64': 'mac-arm64-metal',
  'win32-x64': 'win-x64',
}

/** What llama.cpp is asked about a GGUF file. */
export interface LlamaCppQuestion {
  file: string
  /** Sequences of ids whose tokens, all but the first, get log-likelihoods. */
  scored?: readonly (readonly number[])[]
  /** Ids to go on from greedily, and how many tokens. */
  continued?: { ids: readonly number[]; tokens: number }
  /** Texts to turn into ids, without special tokens. */
  tokenized?: readonly string[]
}

const answers = z.object({
  versions: z.record(z.string(), z.string()),
  answers: z.array(
    z.object({
      /** Of each sequence: the natural log-likelihood of every token but the first. */
      logLikelihoods: z.array(z.array(z.number().nullable())).optional(),
      continuation: z.array(z.int()).optional(),
      ids: z.array(z.array(z.int())).optional(),
      error: z.string().optional(),
    }),
  ),
})
export type LlamaCppAnswers = z.infer<typeof answers>

/**
 * The folder of an installation of node-llama-cpp, which is made once a machine in the cache folder: it is no dependency of
 * Secateur's.
 *
 * @throws NotHere where there is no build for this machine, or no way to the npm registry.
 */
export function llamaCppFolder(say: (what: string) => void): string {
  const build = buildHere()
  const wanted = JSON.stringify({
    private: true,
    dependencies: { 'node-llama-cpp': version, [`@node-llama-cpp/${build}`]: version },
  })
  const digest = createHash('sha256').update(wanted).digest('hex').slice(0, 12)
  const folder = join(cacheFolder(), `llama-cpp-${digest}`)
  const complete = join(folder, 'complete')
  if (existsSync(complete)) return folder
  say(`installing node-llama-cpp in ${folder} (once; some 100 MB)`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), wanted)
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const { status, error, stderr } = spawnSync(
    npm,
    ['install', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8', shell: process.platform === 'win32' },
  )
  if (error) throw new NotHere(`npm cannot be started: ${error.message}`)
  if (status !== 0) {
    const reason = stderr.split('\n').find((line) => /ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|network/i.test(line))
    if (reason) throw new NotHere(`the npm registry cannot be reached: ${reason.trim()}`)
    throw new Error(`node-llama-cpp could not be installed: ${stderr.trim()}`)
  }
  writeFileSync(complete, '')
  return folder
}

function buildHere(): string {
  const build = builds[`${process.platform}-${process.arch}`]
  if (!build) throw new NotHere(`there is no llama.cpp for ${process.platform} on ${process.arch}`)
  return build
}

/** The folder of llama.cpp's shared libraries. @throws NotHere where llama.cpp cannot be had */
export function llamaCppLibraries(say: (what: string) => void): string {
  const build = buildHere()
  return join(llamaCppFolder(say), 'node_modules/@node-llama-cpp', build, 'bins', build)
}

/**
 * Lets llama.cpp answer questions about GGUF files, all in one process of its own.
 *
 * @param folder where the questions and the answers are written
 * @throws NotHere where llama.cpp cannot be had.
 */
export async function askLlamaCpp(
  questions: readonly LlamaCppQuestion[],
  folder: string,
  say: (what: string) => void,
): Promise<LlamaCppAnswers> {
  const [asked, answered] = [join(folder, 'llama-cpp-asked.json'), join(folder, 'llama-cpp-answered.json')]
  const installed = llamaCppFolder(say)
  writeFileSync(asked, JSON.stringify(questions))
  const script = join(import.meta.dirname, 'llama-cpp-process.mjs')
  const child = spawn(process.execPath, [script, installed, asked, answered], { stdio: ['ignore', 'inherit', 'pipe'] })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (more: string) => (errors += more))
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (status !== 0) throw new Error(`llama.cpp failed: ${errors.trim().slice(-2000)}`)
  return answers.parse(JSON.parse(readFileSync(answered, 'utf8')))
}
