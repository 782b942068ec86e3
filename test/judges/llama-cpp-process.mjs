// llama-cpp-process.mjs INSTALLATION QUESTIONS.json ANSWERS.json: what llama.cpp computes of GGUF files, through node-llama-cpp.
// It is no TypeScript since node-llama-cpp is no dependency of Secateur's: its types are not here.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [installation, asked, answered] = process.argv.slice(2)
const required = createRequire(join(installation, 'package.json'))
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(required.resolve('node-llama-cpp')).href)
let said = ''
const llama = await getLlama({
  gpu: false,
  build: 'never',
  logLevel: LlamaLogLevel.error,
  logger: (_level, message) => (said += `${message.trimEnd()}\n`),
})

const answers = []
for (const question of JSON.parse(readFileSync(asked, 'utf8'))) {
  said = ''
  try {
    answers.push(await answer(question))
  } catch (error) {
    // What llama.cpp says itself names the tensor or key; node-llama-cpp only that loading failed.
    const own = said.split('\n').find((line) => /error/i.test(line))
    answers.push({ error: (own ?? String(error)).trim() })
  }
}
const { release } = llama.llamaCppRelease
const installed = JSON.parse(readFileSync(join(installation, 'node_modules/node-llama-cpp/package.json'), 'utf8'))
writeFileSync(
  answered,
  JSON.stringify({ versions: { 'llama.cpp': release, 'node-llama-cpp': installed.version }, answers }),
)
process.exit(0)

async function answer({ file, scored = [], continued, tokenized = [] }) {
  const model = await llama.loadModel({ modelPath: file, useMmap: false })
  const contextSize = Math.max(
    64,
    ...scored.map((ids) => ids.length),
    continued ? continued.ids.length + continued.tokens : 0,
  )
  // A cache in float32: the default of float16 differs by some 1e-2 from what the file says. One sequence a context.
  const context = await model.createContext({
    contextSize: Math.ceil(contextSize / 64) * 64,
    // Threads that wait for each other lose more than two win at models of this size.
    threads: 1,
    flashAttention: false,
    experimentalKvCacheKeyType: 'F32',
    experimentalKvCacheValueType: 'F32',
  })
  try {
    const sequence = context.getSequence()
    const logLikelihoods = []
    for (const ids of scored) logLikelihoods.push(await score(sequence, ids))
    const continuation = continued ? await goOn(sequence, continued) : undefined
    return { logLikelihoods, continuation, ids: tokenized.map((text) => model.tokenize(text, false)) }
  } finally {
    await context.dispose()
    await model.dispose()
  }
}

/** The log-likelihood of every token but the first; null where llama.cpp gives a token no probability. */
async function score(sequence, ids) {
  await sequence.clearHistory()
  const wanted = { generateNext: { probabilities: true, options: { temperature: 0 } } }
  const out = await sequence.controlledEvaluate(ids.slice(0, -1).map((id) => [id, wanted]))
  return out.map(({ next }, index) => {
    const probability = next.probabilities.get(ids[index + 1])
    return probability ? Math.log(probability) : null
  })
}

/** The likeliest tokens after some, beyond whatever ends the text. */
async function goOn(sequence, { ids, tokens }) {
  await sequence.clearHistory()
  const written = []
  for await (const token of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
    if (written.push(token) === tokens) break
  }
  return written
}
