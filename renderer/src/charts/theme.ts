import { colour, theme } from '../theme.svelte.ts'

/** A colour of the design for a canvas, by its custom property without the dashes. Read in an effect, it follows the theme. */
export function token(name: string): string {
  void theme.dark
  return colour(`--${name}`)
}

/** Font of a size in pixels for a canvas. */
export const font = (pixels: number, weight = 400): string => `${weight} ${pixels}px ${token('font')}`
