/** How work that takes a while is cancelled, and how it reports what is done of it. */
export interface WorkControl {
  signal: AbortSignal
  progress: (done: number, total: number) => void
}
