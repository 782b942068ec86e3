import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { sayPlainly } from '../../../engine/shared/issue-text.ts'

sayPlainly()

for (const [schema, value, message] of [
  [z.number().max(0.95), 2, 'must be 0.95 or less, and is 2'],
  [z.number().positive(), -1, 'must be more than 0, and is -1'],
  [z.int().min(1), 1.5, 'must be a whole number, and is 1.5'],
  [z.int().min(1), 0, 'must be 1 or more, and is 0'],
  [z.number(), 'half', 'must be a number, and is "half"'],
  [z.number(), 'x'.repeat(99), 'must be a number, and is text'],
  [z.number(), NaN, 'must be a number, and is none'],
  [z.number(), undefined, 'is missing'],
  [z.object({}), [1, 2], 'must be an object in braces, and is a list'],
  [z.record(z.string(), z.number()), null, 'must be an object in braces, and is null'],
  [z.strictObject({}), { ratoi: 3 }, 'has a field that is not known: "ratoi"'],
  [z.strictObject({}), { a: 1, b: 2 }, 'has fields that are not known: "a", "b"'],
  [z.enum(['a', 'b']), 'c', 'must be one of "a", "b", and is "c"'],
  [z.literal('prune'), 'export', 'must be "prune", and is "export"'],
  [z.string().min(1), '', 'must not be empty'],
  [z.array(z.number()).min(1), [], 'must have at least 1 entry'],
  [z.array(z.number()).max(2), [1, 2, 3], 'must have at most 2 entries'],
  [z.union([z.string(), z.number()]), true, 'is not valid'],
  [z.number().max(1, 'is a share'), 2, 'is a share'],
] as const)
  test(`a value that is wrong: ${message}`, () => {
    assert.equal(schema.safeParse(value).error?.issues[0]?.message, message)
  })
