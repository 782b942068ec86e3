import assert from 'node:assert/strict'
import { test } from 'node:test'
import { availableMemory } from '../../../engine/shared/available-memory.ts'

/** A machine with these files. */
const machine = (files: Record<string, string>) => (file: string) => {
  const text = files[file]
  if (text === undefined) throw new Error(`there is no ${file}`)
  return text
}

test('memory is what the machine has free where no control group bounds it', () => {
  assert.equal(availableMemory(machine({}), 8e9), 8e9)
  assert.equal(availableMemory(machine({ '/proc/self/cgroup': '0::/user.slice\n' }), 8e9), 8e9)
  const unlimited = {
    '/proc/self/cgroup': '0::/box\n',
    '/sys/fs/cgroup/box/memory.max': 'max\n',
    '/sys/fs/cgroup/box/memory.current': '1000000\n',
  }
  assert.equal(availableMemory(machine(unlimited), 8e9), 8e9)
})

test('a group of version 2 leaves what it and those around it allow, files that were read not counted', () => {
  const files = {
    '/proc/self/cgroup': '0::/outer/inner\n',
    '/sys/fs/cgroup/outer/inner/memory.max': '4000000000\n',
    '/sys/fs/cgroup/outer/inner/memory.current': '3000000000\n',
    '/sys/fs/cgroup/outer/inner/memory.stat': 'anon 500000000\ninactive_file 1500000000\nactive_file 500000000\n',
    '/sys/fs/cgroup/outer/memory.max': '3500000000\n',
    '/sys/fs/cgroup/outer/memory.current': '1000000000\n',
  }
  assert.equal(availableMemory(machine(files), 8e9), 2.5e9)
  assert.equal(availableMemory(machine({ ...files, '/sys/fs/cgroup/outer/memory.max': 'max\n' }), 8e9), 3e9)
  assert.equal(availableMemory(machine(files), 1e9), 1e9)
})

test('a group of version 1 counts, also where a container sees it as the root, and a full one leaves nothing', () => {
  const first = { '/proc/self/cgroup': '5:devices:/\n4:cpu,memory:/docker/abc\n0::/\n' }
  const root = {
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '2000000000\n',
    '/sys/fs/cgroup/memory/memory.usage_in_bytes': '1500000000\n',
    '/sys/fs/cgroup/memory/memory.stat': 'cache 1\ntotal_inactive_file 100000000\ntotal_active_file 200000000\n',
  }
  assert.equal(availableMemory(machine({ ...first, ...root }), 8e9), 0.8e9)
  const full = { ...root, '/sys/fs/cgroup/memory/memory.usage_in_bytes': '2400000000\n' }
  assert.equal(availableMemory(machine({ ...first, ...full }), 8e9), 0)
})
