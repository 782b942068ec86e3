import { availableParallelism, cpus } from 'node:os'
import { setTimeout } from 'node:timers/promises'

/** Milliseconds over which the processors are watched. */
const watched = 100
/** Parameters below which threads that wait for each other lose more than they win. */
const smallModel = 15e6

/**
 * Threads that llama.cpp computes with: those that are asked for, or as many as there are idle cores. Its threads wait for each
 * other by spinning, many times a token: where another program takes one of their cores, all of them stand still for that long
 * (measured: two threads on two busy cores wrote 2 tokens a second where one wrote 500). Where a graphics card computes, all that
 * is left for the processor is to look up tokens.
 */
export async function threadsFor(parameters: number, asked: number | undefined, isOnCard: boolean): Promise<number> {
  if (asked !== undefined) return asked
  if (isOnCard) return 1
  const most = availableParallelism()
  if (parameters < smallModel || most === 1) return 1
  const before = times()
  await setTimeout(watched)
  const after = times()
  return threadsBy({ idle: after.idle - before.idle, all: after.all - before.all }, most)
}

/** @param times of all cores, while they were watched */
export function threadsBy({ idle, all }: { idle: number; all: number }, most: number): number {
  const share = all > 0 ? idle / all : 1
  return Math.min(most, Math.max(1, Math.round(share * most)))
}

function times(): { idle: number; all: number } {
  const each = cpus().map(({ times: { idle, user, nice, sys, irq } }) => ({
    idle,
    all: idle + user + nice + sys + irq,
  }))
  return {
    idle: each.reduce((sum, { idle }) => sum + idle, 0),
    all: each.reduce((sum, { all }) => sum + all, 0),
  }
}
