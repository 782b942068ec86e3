// The services in a process of their own, for tests that kill it: requests come and answers and events go over IPC.
import { openServices } from '../../../electron/services/index.ts'
import { serviceOptions } from './services.ts'

const services = await openServices(serviceOptions(process.argv[2]!))
services.subscribe((event) => process.send!({ event }))
process.on('message', ({ id, method, input }: { id: number; method: string; input: unknown }) => {
  void services.call(method, input).then((answer) => process.send!({ id, answer }))
})
process.send!({ ready: true })
