// A thread that helps with products of few rows. It ends when there has been nothing to do for a while.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { place, workOnParts } from './crew-job.ts'
import { type Kernels, kernelsOver } from './kernels.ts'

const idleMilliseconds = 3000

const { module, shared } = workerData as { module: WebAssembly.Module; shared: SharedArrayBuffer }
const control = new Int32Array(shared)
const known = new Map<number, Kernels>()

/** The kernels over a bank, which was told of before its first product was written down. */
function kernelsOf(bank: number): Kernels {
  for (let kernels = known.get(bank); ; kernels = known.get(bank)) {
    if (kernels) return kernels
    const told = receiveMessageOnPort(parentPort!)!.message as { id: number; memory: WebAssembly.Memory }
    known.set(told.id, kernelsOver(module, told.memory))
  }
}

for (;;) {
  const turn = Atomics.load(control, place.turn)
  Atomics.add(control, place.active, 1)
  workOnParts(control, kernelsOf)
  if (Atomics.sub(control, place.active, 1) === 1) Atomics.notify(control, place.active)
  if (Atomics.wait(control, place.turn, turn, idleMilliseconds) === 'timed-out') break
}
Atomics.sub(control, place.alive, 1)
