// npm run dev: the headless host, with Vite in front of it so that a change to the renderer shows at once.
import { join } from 'node:path'
import { createServer } from 'vite'
import { socketPath } from '../electron/contract/connection.ts'
import { parseFlags, startHeadless } from '../electron/host/headless.ts'

const root = join(import.meta.dirname, '..')
const { server: host, close } = await startHeadless(root, { ...parseFlags(process.argv.slice(2)), open: false })
const vite = await createServer({
  configFile: join(root, 'renderer/vite.config.ts'),
  server: {
    proxy: {
      [socketPath]: { target: `http://127.0.0.1:${host.port}`, ws: true, changeOrigin: true, rewriteWsOrigin: true },
    },
  },
})
await vite.listen()
console.log(`Secateur listens on ${vite.resolvedUrls!.local[0]}${new URL(host.address).hash}`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => void Promise.all([vite.close(), close()]).finally(() => process.exit(0)))
}
