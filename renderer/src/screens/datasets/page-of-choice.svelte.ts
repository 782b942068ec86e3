import type { ImageChoice } from './image-choice.ts'

/** Where a page of images begins: at the first one again wherever others are chosen. */
export class PageOfChoice {
  readonly #choice: () => ImageChoice
  #turned = $state.raw<{ of: ImageChoice | null; offset: number }>({ of: null, offset: 0 })

  constructor(choice: () => ImageChoice) {
    this.#choice = choice
  }

  get offset(): number {
    return this.#turned.of === this.#choice() ? this.#turned.offset : 0
  }
  set offset(offset: number) {
    this.#turned = { of: this.#choice(), offset }
  }
}
