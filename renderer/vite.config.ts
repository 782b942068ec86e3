import { svelte } from '@sveltejs/vite-plugin-svelte'
import { join } from 'node:path'
import { defineConfig, type Plugin } from 'vite'

const root = import.meta.dirname

/**
 * bits-ui writes `style="display: contents;"` into its markup, which the content security policy refuses and the browser
 * then reports: a class of ours says the same.
 */
const withoutInlineStyles: Plugin = {
  name: 'without-inline-styles',
  enforce: 'pre',
  transform: {
    filter: { id: /bits-ui.*\.svelte$/ },
    handler: (code) => code.replaceAll('style="display: contents;"', 'class="contents"'),
  },
}

/** The renderer: one page that both hosts serve from the root of an origin of its own. */
export default defineConfig({
  root,
  plugins: [withoutInlineStyles, svelte({ configFile: false })],
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
