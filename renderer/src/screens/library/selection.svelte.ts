import { SvelteSet } from 'svelte/reactivity'
import type { CheckpointSummary } from '../../../../electron/contract/index.ts'

/** Checkpoints that are ticked in the list; none can be while nobody selects. */
export class CheckpointSelection {
  readonly ids = new SvelteSet<number>()
  active = $state(false)

  toggle(id: number): void {
    if (!this.ids.delete(id)) this.ids.add(id)
  }
  /** Those that are still in the library. */
  of(all: readonly CheckpointSummary[]): CheckpointSummary[] {
    return all.filter(({ id }) => this.ids.has(id))
  }
  end(): void {
    this.active = false
    this.ids.clear()
  }
}
