import { type Addon, failureText, loadAddon, startedOn } from './addon.ts'
import { LoadedModel } from './loaded-model.ts'
import {
  type Request,
  requestSchema,
  type Response,
  type StartedOn,
  type ToldToken,
  type WriteRequest,
  type Wrote,
} from './messages.ts'
import { processMemory } from '../estimate/memory.ts'

// The process of one model on llama.cpp: native code that goes wrong takes this process with it, and no other.

let addon: Addon | undefined
let model: LoadedModel | undefined
/** What llama.cpp itself says. */
let said = ''
const cancelled = new Set<number>()

process.on('message', (message) => {
  const request = requestSchema.parse(message)
  if (request.do === 'cancel') cancelled.add(request.request)
  else void answer(request)
})
// At once, whatever llama.cpp computes: an orderly end would wait for it.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

async function answer(request: Exclude<Request, { do: 'cancel' }>): Promise<void> {
  said = ''
  try {
    send({ request: request.request, result: await resultOf(request) })
  } catch (error) {
    send({ request: request.request, error: await failureText(error, () => said) })
  } finally {
    cancelled.delete(request.request)
  }
}

async function resultOf(request: Exclude<Request, { do: 'cancel' }>): Promise<unknown> {
  if (request.do === 'start') return await start(request.addon)
  if (request.do === 'load') return await load(request)
  if (!model) throw new Error('no model is loaded')
  const isOver = () => cancelled.has(request.request)
  return request.do === 'score'
    ? await model.score(request.text, request.threads, isOver)
    : await write(model, request, isOver)
}

async function start(library: string): Promise<StartedOn> {
  addon = await loadAddon(library, (message) => (said += message))
  return startedOn(addon)
}

async function load({ request, file }: Extract<Request, { do: 'load' }>) {
  if (!addon) throw new Error('llama.cpp is not started')
  model = await LoadedModel.load(addon, file, (share) => send({ request, share }))
  return { bytes: model.bytes }
}

/**
 * Milliseconds between messages of tokens. The process that hears one takes a core meanwhile, for which threads of llama.cpp wait:
 * with a message for each token the sample wrote a third as fast where all cores compute.
 */
const tellingInterval = 25

async function write(loaded: LoadedModel, request: WriteRequest, isOver: () => boolean): Promise<Wrote> {
  let tokens: ToldToken[] = []
  let told = -Infinity
  const tell = () => {
    if (tokens.length > 0) send({ request: request.request, tokens })
    tokens = []
    told = performance.now()
  }
  const onToken = (token: ToldToken) => {
    if (request.quiet) return
    tokens.push(token)
    if (performance.now() - told >= tellingInterval) tell()
  }
  try {
    const written = await loaded.write(request, onToken, isOver)
    return { ...written, ...processMemory() }
  } finally {
    tell()
  }
}

function send(response: Response): void {
  if (process.connected) process.send!(response, undefined, undefined, () => {})
}
