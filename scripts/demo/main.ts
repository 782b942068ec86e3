// npm run demo: prunes the sample that the repo ships to 58 % of its parameters and lays it beside the dense model;
// with --vision the sample of images.
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { vision: { type: 'boolean', default: false } } })
const started = performance.now()
await (values.vision ? (await import('./images.ts')).demo() : (await import('./text.ts')).demo())
console.log(`the whole demo took ${Math.round((performance.now() - started) / 1000)} s`)
