import { parentPort, workerData } from 'node:worker_threads'
import { type FitOptions, fittedPicture, type PictureTask } from './fit.ts'

const port = parentPort!
const options = workerData as FitOptions

port.on('message', (task: PictureTask) => {
  // Pixels are copied: memory of the decoder's own cannot be given away.
  void fittedPicture(task, options).then((answer) => port.postMessage(answer))
})
