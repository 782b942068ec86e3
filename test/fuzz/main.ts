// npm run fuzz -- --minutes N [--seed S] [--only PARSER|kills]: reads mutated inputs with every parser, in turns, until the time
// is up; a tenth of it goes to runs that are killed and resumed.
import { parseArgs } from 'node:util'
import { killRuns } from './kills.ts'
import { fuzz, keep } from './runner.ts'
import { type TargetName, targetNames } from './targets/index.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    only: { type: 'string', multiple: true },
  },
})
const minutes = Number(values.minutes)
const seed = Number(values.seed)
const kills = values.only?.includes('kills') ?? true
const chosen = targetNames.filter((name) => values.only?.includes(name) ?? true)
if (!(minutes > 0) || !Number.isSafeInteger(seed) || chosen.length + (kills ? 1 : 0) < (values.only?.length ?? 0)) {
  console.error(
    `usage: npm run fuzz -- --minutes N [--seed S] [--only PARSER]...\nparsers: ${targetNames.join(', ')}, kills`,
  )
  process.exit(2)
}
console.log(`seed ${seed}: ${chosen.join(', ')}`)

/** Every parser has its turn within so many milliseconds. */
const round = 120_000
const all = minutes * 60_000
const forKills = kills ? (chosen.length > 0 ? all / 10 : all) : 0
const end = performance.now() + all - forKills
const read = new Map<TargetName, number>(chosen.map((name) => [name, 0]))
let found = 0
for (let left = all - forKills; left > 0 && chosen.length > 0; left = end - performance.now()) {
  const milliseconds = Math.min(left, round) / chosen.length
  const turns = chosen.map((target) => ({
    target,
    from: read.get(target)!,
    to: Number.MAX_SAFE_INTEGER,
    milliseconds,
  }))
  const counts = await fuzz(seed, turns, (finding) => {
    found++
    const kept = keep(finding, seed)
    console.log(`${finding.target}, input ${finding.at}: ${finding.wrong}\n  ${kept ?? 'too large to be kept'}`)
  })
  for (const [at, target] of chosen.entries()) read.set(target, read.get(target)! + counts[at]!)
}
for (const [name, count] of read) console.log(`${String(count).padStart(8)} inputs  ${name}`)
if (kills) {
  const runs = await killRuns(seed, forKills, (wrong) => {
    found++
    console.log(`kills: ${wrong}`)
  })
  console.log(`${String(runs).padStart(8)} runs killed and resumed`)
}
console.log(found === 0 ? 'nothing found' : `${found} found`)
process.exitCode = found === 0 ? 0 : 1
