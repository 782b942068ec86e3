import { keepCompiled } from './process/compile-cache.ts'

keepCompiled()
// The launcher holds the other end, so that its death is heard; it must not keep this process from ending.
process.channel?.unref()

const { main } = await import('./cli.ts')
process.exitCode = await main(process.argv.slice(2))
