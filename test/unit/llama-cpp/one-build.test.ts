import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LlamaCpp } from '../../../engine/llama-cpp/installed.ts'
import { MeasureAgain, OneBuild } from '../../../engine/llama-cpp/one-build.ts'
import type { Opened, OpenSettings } from '../../../engine/llama-cpp/open.ts'
import type { Checkpoint } from '../../../engine/models/checkpoint.ts'
import { SecateurError } from '../../../engine/shared/errors.ts'

const processor: LlamaCpp = { build: 'processor', addon: '/a.node', version: 'v1' }
const vulkan: LlamaCpp = { ...processor, build: 'vulkan' }
const settings = { places: 1, computes: async () => {} }
const told = { signal: new AbortController().signal, say: () => {}, estimated: () => {}, progress: () => {} }

/** Opens models of as many bytes as their folders say, where a card has room for 10. */
function opening(canMeasureAgain: boolean) {
  const build = new OneBuild({
    canMeasureAgain,
    open: async ({ folder }: Checkpoint, builds: readonly LlamaCpp[], { passed = [] }: OpenSettings) => {
      const fits = ({ build: name }: LlamaCpp) => name === 'processor' || Number(folder) <= 10
      const llama = builds.find(fits)
      if (!llama) throw new SecateurError('does-not-fit', 'there is no room')
      const ran = passed.length > 0 ? { passed } : {}
      return { llama, ran } as unknown as Opened
    },
  })
  return async (bytes: number) => {
    const { llama, ran } = await build.open({ folder: `${bytes}` } as Checkpoint, [vulkan, processor], settings, told)
    return [llama.build, ran.passed]
  }
}

test('models whose speeds are laid side by side run on the build of the first', async () => {
  const small = opening(true)
  assert.deepEqual(
    [await small(5), await small(10)],
    [
      ['vulkan', undefined],
      ['vulkan', undefined],
    ],
  )
  const large = opening(true)
  assert.deepEqual(
    [await large(50), await large(5)],
    [
      ['processor', undefined],
      ['processor', undefined],
    ],
  )
})

test('where the card of the first has no room for the next, all are measured again on the next build', async () => {
  const open = opening(true)
  await open(5)
  await assert.rejects(open(50), MeasureAgain)
  assert.deepEqual(await open(5), ['processor', ['Vulkan: there is no room']])
  assert.deepEqual(await open(50), ['processor', ['Vulkan: there is no room']])
  // What was measured before by a run stands.
  const once = opening(false)
  await once(5)
  await assert.rejects(once(50), { kind: 'does-not-fit' })
})
