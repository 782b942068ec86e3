import { toasts } from '../state/toasts.svelte.ts'

/**
 * Puts a text on the clipboard, and says so. Some browsers give it to nobody at an address without encryption.
 *
 * @param otherwise what is said then of another way to the text
 */
export async function copyText(text: string, copied: string, otherwise: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    toasts.show({ level: 'success', message: copied })
  } catch {
    toasts.show({ level: 'error', message: `The browser lets nothing be copied here: ${otherwise}` })
  }
}
