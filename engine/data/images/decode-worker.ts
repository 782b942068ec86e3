import { parentPort, workerData } from 'node:worker_threads'
import { type FitOptions, fittedImage, type ImageTask } from './fit.ts'

const port = parentPort!
const options = workerData as FitOptions

port.on('message', (task: ImageTask) => {
  // Pixels are copied: memory of the decoder's own cannot be given away.
  void fittedImage(task, options).then((answer) => port.postMessage(answer))
})
