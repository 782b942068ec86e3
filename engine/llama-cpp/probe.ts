import { z } from 'zod'
import { SecateurError } from '../shared/errors.ts'
import { endOf, explainEnd } from '../shared/process-end.ts'
import { startProcess } from './child.ts'
import type { LlamaCpp } from './installed.ts'
import { startedSchema, type StartedOn } from './messages.ts'

/** What the process of a probe says, once. */
const probedSchema = z.union([z.object({ on: startedSchema }), z.object({ error: z.string() })])
export type Probed = z.infer<typeof probedSchema>

/**
 * Starts llama.cpp for a moment, in a process of its own, and asks what it computes on.
 *
 * @throws SecateurError with what the library or the system says, where it does not start here
 */
export async function probe(
  { addon }: Pick<LlamaCpp, 'addon'>,
  { signal }: { signal: AbortSignal },
): Promise<StartedOn> {
  signal.throwIfAborted()
  const child = startProcess(new URL('./probe-process.ts', import.meta.url), [addon])
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  signal.addEventListener('abort', kill, { once: true })
  try {
    const probed = await new Promise<Probed>((resolve, reject) => {
      child.once('message', (message) => {
        const read = probedSchema.safeParse(message)
        if (read.success) resolve(read.data)
        else reject(read.error)
      })
      void endOf(child).then((end) => resolve({ error: explainEnd(end, 'llama.cpp', '').trim() }))
    })
    signal.throwIfAborted()
    if ('error' in probed) throw new SecateurError('unsupported', `llama.cpp: ${probed.error}`)
    return probed.on
  } finally {
    process.off('exit', kill)
    signal.removeEventListener('abort', kill)
    kill()
  }
}
