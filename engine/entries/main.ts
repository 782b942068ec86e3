import { keepCompiled } from './process/compile-cache.ts'

keepCompiled()

const { main } = await import('./cli.ts')
process.exitCode = await main(process.argv.slice(2))
