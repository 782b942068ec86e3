import { tf } from '../tensor/tf.ts'

/**
 * Runs what the current back end has recorded, so that tensors which are still alive become real and the next block starts a
 * graph of its own. Back ends that compute at once have nothing to do.
 */
export function flushBackend(): void {
  const backend: object = tf.backend()
  if ('flush' in backend && typeof backend.flush === 'function') backend.flush()
}
