import { keepCompiled } from './process/compile-cache.ts'

keepCompiled()
// The launcher holds the other end, so that its death is heard; it must not keep this process from ending.
process.channel?.unref()
// What a pipe's other end, such as head, does not want to read need not be written. A job listens itself, and ends with its
// state saved, whatever the error: a terminal that is gone is another one.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && stream.listenerCount('error') === 1) throw error
  })

const { main } = await import('./cli.ts')
process.exitCode = await main(process.argv.slice(2))
