/** Keys that work everywhere: shown by the keyboard help, acted on by the shell. */
export interface Shortcut {
  keys: readonly string[]
  what: string
}

export const shortcuts: readonly { title: string; shortcuts: readonly Shortcut[] }[] = [
  {
    title: 'Everywhere',
    shortcuts: [
      { keys: ['Ctrl', 'K'], what: 'Command palette: screens, checkpoints, data sets, runs and actions' },
      { keys: ['?'], what: 'This help' },
      { keys: ['/'], what: 'Search on this screen' },
      { keys: ['Ctrl', 'Enter'], what: 'Start what a form describes: a new run, an export' },
      { keys: ['Esc'], what: 'Close a dialog, menu or message' },
      { keys: ['Tab'], what: 'Next control; with Shift the one before' },
    ],
  },
  {
    title: 'Go to (one after the other)',
    shortcuts: [
      { keys: ['G', 'L'], what: 'Library' },
      { keys: ['G', 'D'], what: 'Data sets' },
      { keys: ['G', 'N'], what: 'New run' },
      { keys: ['G', 'H'], what: 'History' },
      { keys: ['G', 'C'], what: 'Compare' },
      { keys: ['G', 'P'], what: 'Playground' },
      { keys: ['G', 'S'], what: 'Settings' },
    ],
  },
  {
    title: 'Lists, menus and sliders',
    shortcuts: [
      { keys: ['↑', '↓'], what: 'Move' },
      { keys: ['Enter'], what: 'Open or choose' },
      { keys: ['←', '→'], what: 'Move a slider or change the tab' },
      { keys: ['Home', 'End'], what: 'First and last' },
    ],
  },
]

/** What a key press means outside of text fields; `after` is the key before it where that was a moment ago. */
export function meaning(
  key: string,
  after: string | null,
):
  | { go: 'library' | 'datasets' | 'new' | 'history' | 'compare' | 'playground' | 'settings' }
  | 'help'
  | 'search'
  | 'prefix'
  | null {
  if (after === 'g') {
    const go = {
      l: 'library',
      d: 'datasets',
      n: 'new',
      h: 'history',
      c: 'compare',
      p: 'playground',
      s: 'settings',
    } as const
    const screen = go[key.toLowerCase() as keyof typeof go]
    if (screen) return { go: screen }
  }
  if (key === '?') return 'help'
  if (key === '/') return 'search'
  return key.toLowerCase() === 'g' ? 'prefix' : null
}
