import { writeFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { Random } from '../../engine/shared/random.ts'
import { mutate } from './mutate.ts'
import { placeIn, runInput } from './run-input.ts'
import type { Input, Target } from './target.ts'
import { targetNames, targets } from './targets/index.ts'

const turnSchema = z.object({
  target: z.enum(targetNames),
  /** Number of the first input, and of the first one that is left out. */
  from: z.int(),
  to: z.int(),
  /** After which no more inputs are read, even if there are some left. */
  milliseconds: z.number(),
})
/** Inputs of a target. */
export type Turn = z.infer<typeof turnSchema>

/** What a worker is to do. Inputs are laid out in `root`. */
export const orderSchema = z.object({ root: z.string(), seed: z.number(), turns: z.array(turnSchema) })
export type Order = z.infer<typeof orderSchema>

/** That it is at work still, what is wrong with an input, or how far a turn came. */
export const reportSchema = z.union([
  z.object({ lives: z.literal(true) }),
  z.object({ turn: z.int(), at: z.int(), wrong: z.string() }),
  z.object({ turn: z.int(), done: z.int() }),
])
export type Report = z.infer<typeof reportSchema>

/** Holds the turn and the number of the input that is being read. */
export const numberFile = (root: string): string => `${root}.number`

/** Input number `at` of a target: a function of the seed and the number alone. */
export function inputAt(target: Target, seeds: readonly Input[], seed: number, at: number): Input {
  const random = new Random(seed).fork(`${target.name}.${at}`)
  const input = seeds[random.integer(seeds.length)]!
  const names = Object.keys(input).filter((name) => !target.fixed?.includes(name))
  const name = names[random.integer(names.length)]!
  const others = seeds.flatMap((other) => other[name] ?? [])
  return { ...input, [name]: mutate(input[name]!, random, others) }
}

const tell = (report: Report) => process.send!(report)

async function work({ root, seed, turns }: Order): Promise<void> {
  const place = placeIn(root)
  for (const [turn, { target: name, from, to, milliseconds }] of turns.entries()) {
    const target = await targets[name]()
    const seeds = await target.seeds()
    const started = performance.now()
    let told = started
    let at = from
    for (; at < to && performance.now() - started < milliseconds; at++) {
      // Who hears of a crash finds the number here: no message is sure to leave before it.
      writeFileSync(numberFile(root), `${turn} ${at}`)
      const wrong = await runInput(target, inputAt(target, seeds, seed, at), place)
      if (wrong !== null) tell({ turn, at, wrong })
      if (performance.now() - told < 1000) continue
      told = performance.now()
      tell({ lives: true })
      await setImmediate()
    }
    await target.close?.()
    tell({ turn, done: at })
  }
}

if (process.send)
  process.on('message', (message) => {
    // Libraries of what is read keep a process alive that has no more to do.
    void work(orderSchema.parse(message)).then(() =>
      process.send!({ lives: true } satisfies Report, () => process.exit()),
    )
  })
