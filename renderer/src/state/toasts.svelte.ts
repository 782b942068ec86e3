import type { Problem } from '../client/problem.ts'

export interface Toast {
  id: number
  message: string
  level: 'info' | 'success' | 'warning' | 'error'
  action?: { label: string; run: () => void | Promise<void> }
}

/** Short messages that leave by themselves; errors stay until they are closed. */
class Toasts {
  list = $state.raw<Toast[]>([])
  #next = 1
  #timers = new Map<number, ReturnType<typeof setTimeout>>()

  show(toast: Omit<Toast, 'id' | 'level'> & { level?: Toast['level'] }): void {
    const id = this.#next++
    this.list = [...this.list.slice(-3), { level: 'info', ...toast, id }]
    this.resume(id)
  }

  /** Says that something was done, with a way back. */
  undoable(message: string, undo: () => Promise<unknown>): void {
    this.show({
      message,
      level: 'success',
      action: {
        label: 'Undo',
        run: async () => {
          await undo()
        },
      },
    })
  }

  problem(problem: Problem): void {
    this.show({ level: 'error', message: problem.message })
  }

  close(id: number): void {
    this.pause(id)
    this.list = this.list.filter((toast) => toast.id !== id)
  }

  /** Holds a message that the user looks at. */
  pause(id: number): void {
    clearTimeout(this.#timers.get(id))
    this.#timers.delete(id)
  }

  resume(id: number): void {
    const toast = this.list.find((other) => other.id === id)
    if (!toast || toast.level === 'error') return
    this.pause(id)
    this.#timers.set(
      id,
      setTimeout(() => this.close(id), toast.action ? 12_000 : 6000),
    )
  }
}

export const toasts = new Toasts()
