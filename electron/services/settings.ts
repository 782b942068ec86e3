import { join } from 'node:path'
import { settingsSchema, type Settings } from '../contract/index.ts'
import type { SettingStore } from '../database/settings.ts'
import type { Emit } from './events.ts'
import type { Handlers } from './handlers.ts'

/** The settings of the app. A stored one that this version cannot read falls back to its default. */
export class AppSettings {
  readonly #store: SettingStore
  readonly #defaults: Settings
  readonly #emit: Emit
  #current: Settings

  constructor(store: SettingStore, dataFolder: string, emit: Emit) {
    this.#store = store
    this.#emit = emit
    this.#defaults = settingsSchema.parse({
      runsFolder: join(dataFolder, 'runs'),
      checkpointsFolder: join(dataFolder, 'checkpoints'),
    })
    this.#current = this.#read()
  }

  get current(): Settings {
    return this.#current
  }

  readonly handlers: Handlers<'settings.get' | 'settings.set'> = {
    'settings.get': () => this.#current,
    'settings.set': (changes) => {
      this.#store.put(changes)
      this.#current = this.#read()
      this.#emit('settings', this.#current)
      return this.#current
    },
  }

  #read(): Settings {
    const readable = Object.entries(this.#store.all()).filter(([name, value]) => {
      const shape = Object.hasOwn(settingsSchema.shape, name) && settingsSchema.shape[name as keyof Settings]
      return shape && shape.safeParse(value).success
    })
    return { ...this.#defaults, ...Object.fromEntries(readable) }
  }
}
