import { keepCompiled } from './process/compile-cache.ts'

keepCompiled()

const { runProcess } = await import('./process/run-process.ts')
runProcess()
