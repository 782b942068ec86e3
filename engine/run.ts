import { runProcess } from './process/run-process.ts'

runProcess()
