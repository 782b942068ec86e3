// npm run bench -- card-token: what a generated token costs beside the card's own work, on any driver: dispatches, and the
// host's time, which is that of the layers' number and not of their width.
import { parseArgs } from 'node:util'
import { chooseBackend } from '../../engine/backends/choose.ts'
import { currentCard } from '../../engine/backends/webgpu/measure.ts'
import { tokenWork } from '../../engine/bench/card-token.ts'
import { randomModel } from '../../engine/bench/random-model.ts'
import { plainConfig } from '../../engine/bench/shapes.ts'

const { values } = parseArgs({
  options: { layers: { type: 'string', default: '32' }, tokens: { type: 'string', default: '32' } },
})
await chooseBackend({ device: 'webgpu' })
const card = currentCard()!
const layers = Number(values.layers)
const config = plainConfig({
  vocabularySize: 1024,
  hiddenSize: 256,
  headSize: 128,
  layers: Array.from({ length: layers }, () => ({ heads: 2, keyValueHeads: 2, channels: 512 })),
  tiedEmbeddings: false,
})
const { dispatches, hostMicroseconds, recordingMicroseconds } = tokenWork(randomModel(config, false), card, {
  prompt: 16,
  tokens: Number(values.tokens),
})
console.log(
  `${layers} layers: ${dispatches} dispatches a token; the host takes ${hostMicroseconds} µs for a token that is sent again, and ${recordingMicroseconds} µs for one that is recorded`,
)
process.exit(0)
