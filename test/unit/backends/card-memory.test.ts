import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readNvidiaCards } from '../../../engine/backends/webgpu/memory.ts'

test('a card is named and its memory read as nvidia-smi says them', () => {
  assert.deepEqual(readNvidiaCards('NVIDIA H200, 143771\n'), { name: 'NVIDIA H200', memoryBytes: 143771 * 2 ** 20 })
})

test('of several cards the smallest memory is safe, and a name is given where all have one', () => {
  const two = readNvidiaCards('NVIDIA RTX A6000, 49140\nNVIDIA RTX A6000, 48000\n')
  assert.deepEqual(two, { name: 'NVIDIA RTX A6000', memoryBytes: 48000 * 2 ** 20 })
  assert.equal(readNvidiaCards('NVIDIA A100, 40960\nNVIDIA T4, 15360').name, null)
})

test('a card that shares the memory of the computer has a name and no memory of its own', () => {
  assert.deepEqual(readNvidiaCards('NVIDIA GB10, [N/A]'), { name: 'NVIDIA GB10', memoryBytes: null })
  assert.deepEqual(readNvidiaCards(''), { name: null, memoryBytes: null })
})
