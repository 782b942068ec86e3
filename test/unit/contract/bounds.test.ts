import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { jobSchema, machineSettings, speedSchema } from '../../../engine/contract/index.ts'
import { schemaOfKind } from '../../../engine/contract/job.ts'
import { benchSchema, generateSchema } from '../../../engine/jobs/settings.ts'

interface Json {
  type?: string
  maximum?: number
  exclusiveMaximum?: number
  items?: Json
  properties?: Record<string, Json>
}

/** Settings that are numbers, by their dotted names, with the largest value that each takes. */
function largest(schema: Json, name = ''): [string, number | undefined][] {
  if (schema.type === 'number' || schema.type === 'integer') return [[name, schema.maximum ?? schema.exclusiveMaximum]]
  const inside = Object.entries(schema.properties ?? {}).flatMap(([key, field]) =>
    largest(field, name ? `${name}.${key}` : key),
  )
  return schema.items ? [...inside, ...largest(schema.items, name)] : inside
}

const kinds = ['prune', 'finetune', 'evaluate', 'sweep'] as const
const schemas: [string, z.ZodType][] = [
  ...kinds.map((kind): [string, z.ZodType] => [kind, schemaOfKind(kind)!]),
  ['generate', generateSchema],
  ['speed', speedSchema],
  ['bench', benchSchema],
  ['machine', z.object(machineSettings)],
]

for (const [name, schema] of schemas)
  test(`every number of ${name} has a largest value`, () => {
    const numbers = largest(z.toJSONSchema(schema, { io: 'input' }) as Json)
    assert.ok(numbers.length > 0)
    const unbounded = numbers.filter(
      ([setting, most]) => setting !== 'seed' && (most === undefined || most === Number.MAX_SAFE_INTEGER),
    )
    assert.deepEqual(unbounded, [])
  })

test('steps that nobody trains are refused by name', () => {
  const job = { kind: 'prune', checkpoint: 'model', data: ['a.txt'], out: 'run', steps: 2 ** 31 }
  const { error } = jobSchema.safeParse(job)
  assert.deepEqual(error?.issues[0]?.path, ['steps'])
})
