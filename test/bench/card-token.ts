// npm run bench -- card-token: what a generated token costs beside the card's own work, on any driver: dispatches, bytes that are
// read, and the host's time, which is that of the layers' number and the vocabulary's size and not of the layers' width.
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { currentCard } from '../../engine/backends/webgpu/measure.ts'
import { tokenWork } from '../../engine/bench/card-token.ts'
import { randomModel } from '../../engine/bench/random-model.ts'
import { plainConfig } from '../../engine/bench/shapes.ts'

const { values } = parseArgs({
  options: {
    layers: { type: 'string', default: '32' },
    tokens: { type: 'string', default: '32' },
    vocabulary: { type: 'string', default: '32000' },
  },
})
await chooseBackend({ device: 'webgpu' })
const card = currentCard()!
const [layers, tokens, vocabularySize] = [values.layers, values.tokens, values.vocabulary].map(Number) as [
  number,
  number,
  number,
]
const config = plainConfig({
  vocabularySize,
  hiddenSize: 256,
  headSize: 128,
  layers: Array.from({ length: layers }, () => ({ heads: 2, keyValueHeads: 2, channels: 512 })),
  tiedEmbeddings: false,
})
const model = randomModel(config, false)
console.log(`${layers} layers, ${vocabularySize} words`)
const samplings = {
  'the likeliest token': { temperature: 0, topP: 1 },
  // Logits of random weights are alike: at this temperature they differ as those of a trained model do.
  'one of the 40 likeliest': { temperature: 0.05, topP: 0.95, topK: 40 },
}
for (const [name, sampling] of Object.entries(samplings))
  for (const byAll of [true, false]) {
    const work = tokenWork(model, card, { prompt: 16, tokens, sampling, byAll })
    const { dispatches, bytesRead, hostMicroseconds, recordingMicroseconds } = work
    console.log(
      `${name}, chosen ${byAll ? 'by all logits' : 'on the card  '}: ${dispatches} dispatches and ${bytesRead} bytes read a token; the host takes ${hostMicroseconds} µs for a token that is sent again, and ${recordingMicroseconds} µs for one that is recorded`,
    )
  }
process.exit(0)
