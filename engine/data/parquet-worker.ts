import { parentPort, workerData } from 'node:worker_threads'
import { openFileHandle } from '../shared/open-file.ts'
import { openParquet } from './parquet-file.ts'
import type { WorkerAnswer, WorkerData } from './parquet.ts'

const { file, ...options } = workerData as WorkerData
const port = parentPort!
const parquet = await openParquet(await openFileHandle(file), file)

port.on('message', (group: number) => {
  parquet.readGroup(group, options).then(
    (rows) => port.postMessage({ rows } satisfies WorkerAnswer),
    (error: Error) => port.postMessage({ message: error.message } satisfies WorkerAnswer),
  )
})
