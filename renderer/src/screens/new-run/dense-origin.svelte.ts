import { untrack } from 'svelte'
import type { CheckpointSummary } from '../../../../electron/contract/index.ts'
import { isHere } from '../../checkpoint-status.ts'
import { type Resource, resource } from '../../client/index.ts'
import type { Draft } from './draft.ts'

interface Form {
  readonly draft: Draft
  readonly opened: boolean
  readonly checkpoints: Resource<CheckpointSummary[]>
}

/**
 * The dense checkpoint that the one that is evaluated came from, which is compared with until the user says otherwise. To be
 * made while a component is initialised.
 */
export class DenseOrigin {
  readonly #form: () => Form
  readonly #library = $derived.by(() => this.#form().checkpoints.data ?? [])
  readonly #evaluated = $derived.by(() => {
    const { mode, checkpoint } = this.#form().draft
    return mode === 'evaluate' ? (this.#library.find(({ path }) => path === checkpoint) ?? null) : null
  })
  readonly #answer = resource('library.get', () => this.#evaluated && { id: this.#evaluated.id }, {
    staleOn: { checkpoint: ({ id }) => id === this.#evaluated?.id },
  })
  /** Null where it came from none; undefined until that is known. */
  readonly checkpoint = $derived.by(() => {
    if (this.#evaluated === null) return null
    const { data } = this.#answer
    return data?.id === this.#evaluated.id ? (this.#library.find(({ id }) => id === data.dense) ?? null) : undefined
  })
  /** The checkpoint for which the user has been given a choice. */
  #settled = ''
  /** What was chosen for the user, and is taken back with the checkpoint that it was chosen for. */
  #chosen = ''

  constructor(form: () => Form) {
    this.#form = form
    $effect(() => {
      const { opened, draft } = this.#form()
      const origin = this.checkpoint
      const evaluated = this.#evaluated
      if (!opened || evaluated === null || origin === undefined) return
      untrack(() => this.#choose(draft, evaluated.path, origin))
    })
  }

  /** Leaves alone what a draft says that was filled in before: by the run that it is a clone of, or before a reload. */
  keep({ mode, checkpoint, compareWith }: Draft): void {
    const isFilledIn = mode === 'evaluate'
    this.#settled = isFilledIn ? checkpoint : ''
    this.#chosen = isFilledIn ? compareWith : ''
  }

  #choose(draft: Draft, evaluated: string, origin: CheckpointSummary | null): void {
    if (evaluated === this.#settled) return
    if (draft.compareWith === '' || draft.compareWith === this.#chosen) {
      this.#chosen = origin && isHere(origin) ? origin.path : ''
      draft.compareWith = this.#chosen
    }
    this.#settled = evaluated
  }
}
