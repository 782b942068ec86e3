import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type Choice,
  type Curve,
  type LayerChoices,
  leastCost,
  solutionOf,
} from '../../../../engine/pruning/budget/choices.ts'
import { relax } from '../../../../engine/pruning/budget/lagrange.ts'
import { repair } from '../../../../engine/pruning/budget/repair.ts'
import { solve } from '../../../../engine/pruning/budget/solve.ts'
import { Random } from '../../../../engine/shared/random.ts'

/** A curve of random steps; costs are whole numbers where `whole`, so that many solutions cost the same. */
function randomCurve(random: Random, points: number, whole: boolean): Curve {
  const rising = (scale: number) => {
    let sum = 0
    return Float64Array.from({ length: points }, (_, i) => {
      if (i > 0) sum += whole ? random.integer(scale) : random.uniform() * scale
      return sum
    })
  }
  const saved = rising(5)
  return {
    kept: Array.from({ length: points }, (_, i) => points - i),
    cost: saved.map((each) => saved.at(-1)! - each + 1),
    lost: rising(7),
  }
}

const randomLayer = (random: Random, whole: boolean): LayerChoices => {
  const heads = randomCurve(random, 1 + random.integer(3), whole)
  const channels = randomCurve(random, 1 + random.integer(4), whole)
  const all = heads.lost.at(-1)! + channels.lost.at(-1)!
  return { heads, channels, rest: random.integer(3), gone: random.integer(2) === 0 ? null : all + random.uniform() * 6 }
}

/** Tries everything. */
function bruteForce(layers: readonly LayerChoices[], limit: number): number {
  const all = layers.map((layer): Choice[] => [
    ...(layer.gone === null ? [] : [null]),
    ...layer.heads.kept.flatMap((_, heads) => layer.channels.kept.map((__, channels) => ({ heads, channels }))),
  ])
  let least = Infinity
  const choices: Choice[] = []
  const go = (layer: number) => {
    if (layer === layers.length) {
      const { cost, lost } = solutionOf(layers, choices)
      if (cost <= limit) least = Math.min(least, lost)
      return
    }
    for (const choice of all[layer]!) {
      choices[layer] = choice
      go(layer + 1)
    }
  }
  go(0)
  return least
}

/** Many small problems, each with the limit somewhere in its range. */
function* problems(count: number, layers: number) {
  const random = new Random(15)
  for (let i = 0; i < count; i++) {
    const whole = i % 2 === 0
    const given = Array.from({ length: layers }, () => randomLayer(random, whole))
    const least = leastCost(given)
    const whole0 = solutionOf(
      given,
      given.map(() => ({ heads: 0, channels: 0 })),
    ).cost
    const limit = least + random.uniform() * (whole0 - least)
    yield { given, limit: whole ? Math.floor(limit) : limit }
  }
}

describe('solve', () => {
  it('loses no more than the best of all choices, on small cases', () => {
    for (const { given, limit } of problems(150, 4)) {
      const { cost, lost, choices, bound } = solve(given, limit)
      assert.ok(cost <= limit)
      assert.deepEqual(solutionOf(given, choices), { choices, cost, lost })
      const best = bruteForce(given, limit)
      assert.ok(Math.abs(lost - best) < 1e-9, `${lost} in place of ${best}`)
      assert.ok(bound <= best + 1e-9)
    }
  })

  it('has a bound below the best, and repair comes near it, without the exact search', () => {
    let [beyond, all] = [0, 0]
    for (const { given, limit } of problems(100, 4)) {
      const relaxed = relax(given, limit)
      const best = bruteForce(given, limit)
      assert.ok(relaxed.bound <= best + 1e-9, 'the bound is one')
      const repaired = repair(given, relaxed.found, limit, relaxed.bound)
      assert.ok(repaired.cost <= limit)
      assert.ok(repaired.lost <= relaxed.found.lost)
      beyond += repaired.lost - best
      all += best
    }
    assert.ok(beyond < 0.05 * all, `${beyond} of ${all}`)
  })

  it('keeps everything where the limit allows it, and says when nothing meets it', () => {
    const { given } = problems(1, 4).next().value!
    const { choices, lost } = solve(given, 1e9)
    assert.deepEqual(
      choices,
      given.map(() => ({ heads: 0, channels: 0 })),
    )
    assert.equal(lost, 0)
    assert.throws(() => solve(given, leastCost(given) - 0.5), /cannot be met/)
    assert.equal(solve(given, leastCost(given)).cost, leastCost(given))
  })

  it('is instant for the shape of a model of seven billion parameters, and close to its bound', () => {
    const random = new Random(7)
    const curve = (groups: number, each: number): Curve => {
      const scores = Float64Array.from({ length: groups }, () => random.uniform() ** 2 * each).sort()
      let sum = 0
      const lost = Float64Array.from({ length: groups }, (_, i) => (i === 0 ? 0 : (sum += scores[i - 1]!)))
      const kept = Array.from({ length: groups }, (_, i) => groups - i)
      return { kept, cost: Float64Array.from(kept, (count) => count * each), lost }
    }
    const layers = Array.from({ length: 32 }, (): LayerChoices => {
      const [heads, channels] = [curve(32, 2_097_152), curve(11_008, 12_288)]
      return { heads, channels, rest: 8192, gone: heads.lost.at(-1)! + channels.lost.at(-1)! + 1e6 }
    })
    const whole = solutionOf(
      layers,
      layers.map(() => ({ heads: 0, channels: 0 })),
    ).cost
    const started = process.cpuUsage()
    const { cost, lost, bound } = solve(layers, 0.6 * whole)
    const { user, system } = process.cpuUsage(started)
    assert.ok(user + system < 1e6, `${(user + system) / 1000} ms`)
    assert.ok(cost > 0.6 * whole - 12_288, 'no room for another channel')
    assert.ok(lost - bound < 1e-4 * lost, `${lost} against ${bound}`)
  })
})
