export type Theme = 'system' | 'light' | 'dark'

const key = 'secateur.theme'
const system = matchMedia('(prefers-color-scheme: dark)')

/**
 * The theme that is shown. What the user chose is kept by the main side; a copy here avoids a flash of the other theme
 * before the settings have arrived.
 */
class ThemeState {
  chosen = $state<Theme>('system')
  #systemDark = $state(system.matches)
  /** Drawings read colours from the document's custom properties again when this changes. */
  readonly dark = $derived(this.chosen === 'system' ? this.#systemDark : this.chosen === 'dark')

  constructor() {
    const stored = localStorage.getItem(key)
    if (stored === 'light' || stored === 'dark') this.chosen = stored
    this.#apply()
    system.addEventListener('change', () => {
      this.#systemDark = system.matches
      this.#apply()
    })
  }

  choose(theme: Theme) {
    this.chosen = theme
    localStorage.setItem(key, theme)
    this.#apply()
  }

  #apply() {
    document.documentElement.dataset.theme = this.dark ? 'dark' : 'light'
  }
}

export const theme = new ThemeState()

/** Value of a custom property such as `--series-1`, for a canvas. Read `theme.dark` beside it to be told of changes. */
export const colour = (name: `--${string}`): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim()
