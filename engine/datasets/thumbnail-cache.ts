import type { FileThumbnail } from '../contract/index.ts'

const mostBytes = 32 * 2 ** 20

/** The small images that were made last, as many as fit. Errors are not kept: their cause may be gone the next time. */
export class ThumbnailCache {
  readonly #kept = new Map<string, FileThumbnail & { dataUrl: string }>()
  #bytes = 0

  get(key: string): FileThumbnail | undefined {
    const known = this.#kept.get(key)
    if (known) {
      this.#kept.delete(key)
      this.#kept.set(key, known)
    }
    return known
  }

  put(key: string, small: FileThumbnail): void {
    if ('error' in small) return
    this.#bytes += small.dataUrl.length
    this.#kept.set(key, small)
    for (const [oldest, { dataUrl }] of this.#kept) {
      if (this.#bytes <= mostBytes) return
      this.#kept.delete(oldest)
      this.#bytes -= dataUrl.length
    }
  }
}
