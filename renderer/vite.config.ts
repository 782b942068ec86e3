import { svelte } from '@sveltejs/vite-plugin-svelte'
import { join } from 'node:path'
import { defineConfig } from 'vite'

const root = import.meta.dirname

/** The renderer: one page that both hosts serve from the root of an origin of its own. */
export default defineConfig({
  root,
  plugins: [svelte({ configFile: false })],
  build: {
    outDir: join(root, '../out/renderer'),
    emptyOutDir: true,
    // Electron 45 and the browsers of its day.
    target: 'chrome140',
    // The content security policy allows data: addresses for images alone.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1500,
  },
  server: { host: '127.0.0.1' },
  clearScreen: false,
})
