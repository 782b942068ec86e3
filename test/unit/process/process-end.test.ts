import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainEnd } from '../../../engine/shared/process-end.ts'
import { outOfMemoryKills } from '../../../engine/shared/memory-kills.ts'

/** A machine with these files. */
const machine = (files: Record<string, string>) => (file: string) => {
  const text = files[file]
  if (text === undefined) throw new Error(`there is no ${file}`)
  return text
}
const vmstat = { '/proc/vmstat': 'pgfault 12\noom_kill 7\ndrop_pagecache 0\n' }

test('kills for want of memory are those of the control group, or of the machine where no group counts them', () => {
  const second = { '/proc/self/cgroup': '0::/user.slice/app.scope\n', ...vmstat }
  const events = 'low 0\noom 3\noom_kill 2\noom_group_kill 0\n'
  assert.equal(outOfMemoryKills(machine({ ...second, '/sys/fs/cgroup/user.slice/app.scope/memory.events': events })), 2)
  assert.equal(outOfMemoryKills(machine(second)), 7)
  const first = { '/proc/self/cgroup': '9:name=systemd:/\n4:cpu,memory:/box\n0::/\n', ...vmstat }
  const control = 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n'
  assert.equal(outOfMemoryKills(machine({ ...first, '/sys/fs/cgroup/memory/box/memory.oom_control': control })), 1)
  assert.equal(outOfMemoryKills(machine(vmstat)), 7)
  assert.equal(outOfMemoryKills(machine({ '/proc/vmstat': 'pgfault 12\n' })), null)
})

const killed = (memoryRanOut: boolean | null) =>
  explainEnd({ code: null, signal: 'SIGKILL', lastWords: '', memoryRanOut })

test('a killed engine is said to have run out of memory where the system says so, and not because it was killed', () => {
  assert.match(killed(true), /system killed the engine because memory ran out.*smaller batch size/)
  assert.match(killed(false), /person or another program/)
  assert.doesNotMatch(killed(false), /smaller batch size/)
  assert.match(killed(null), /most likely/)
  assert.match(
    explainEnd({ code: 134, signal: null, lastWords: 'JavaScript heap out of memory', memoryRanOut: false }),
    /ran out of memory\..*heap/,
  )
})
