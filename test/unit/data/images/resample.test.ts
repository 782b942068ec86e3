import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { centreCrop, crop, type Filter, resize } from '../../../../engine/data/images/resample.ts'

const bytes = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
const filters = ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const satisfies readonly Filter[]
/** What Pillow makes of images (make_resize_fixture.py). */
const cases = z
  .array(
    z.object({
      width: z.int(),
      height: z.int(),
      to: z.tuple([z.int(), z.int()]),
      pixels: bytes,
      nearest: bytes,
      bilinear: bytes,
      bicubic: bytes,
      lanczos: bytes,
    }),
  )
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, '../../../fixtures/resize.json'), 'utf8')))

for (const filter of filters)
  test(`${filter}: images are resized as Pillow resizes them`, () => {
    for (const { width, height, to, pixels, ...expected } of cases) {
      const { data } = resize({ data: pixels, width, height, colours: 3 }, to[0], to[1], filter)
      assert.equal(data.length, expected[filter].length)
      const apart = data.filter((value, i) => value !== expected[filter][i])
      assert.equal(apart.length, 0, `${width} x ${height} to ${to.join(' x ')}`)
    }
  })

const ramp = { data: Uint8Array.from({ length: 12 }, (_, i) => i + 1), width: 4, height: 3, colours: 1 }

test('the middle of an image is cut out, and what an image lacks is black', () => {
  assert.deepEqual([...centreCrop(ramp, 2, 1, 'down').data], [6, 7])
  assert.deepEqual([...centreCrop(ramp, 6, 3, 'down').data], [0, 1, 2, 3, 4, 0, 0, 5, 6, 7, 8, 0, 0, 9, 10, 11, 12, 0])
  assert.deepEqual([...crop(ramp, 3, -1, 2, 2).data], [0, 0, 4, 0])
  assert.deepEqual([...crop(ramp, 9, 0, 2, 1).data], [0, 0])
  // Python's round takes halves to even numbers: (5 - 2) / 2 is 2 there, and (3 - 2) / 2 is 0.
  const wide = { data: Uint8Array.from([1, 2, 3, 4, 5]), width: 5, height: 1, colours: 1 }
  assert.deepEqual([...centreCrop(wide, 2, 1, 'down').data], [2, 3])
  assert.deepEqual([...centreCrop(wide, 2, 1, 'even').data], [3, 4])
  assert.deepEqual([...centreCrop({ ...wide, data: wide.data.slice(0, 3), width: 3 }, 2, 1, 'even').data], [1, 2])
})
