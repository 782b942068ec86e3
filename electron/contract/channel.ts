import type { Problem } from './common.ts'
import type { AppEvent } from './events.ts'

/** What a host and its renderers talk through, whatever carries it: see `birpc`. */
export interface MainSide {
  /** Answers with an envelope, since errors do not survive every channel. */
  call(method: string, input: unknown): Promise<{ ok: unknown } | { problem: Problem }>
}
export interface RendererSide {
  event(event: AppEvent): void
}
/** What Electron's preload script puts on the page's window as `secateur`; a browser has no such thing. */
export interface WindowBridge {
  call: MainSide['call']
  subscribe(listener: (event: AppEvent) => void): () => void
  /** Path of a file or folder that was dropped on the window. */
  pathOf(file: File): string
}
