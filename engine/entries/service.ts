import { keepCompiled } from './process/compile-cache.ts'

keepCompiled()

const { serveRequests } = await import('./service/serve.ts')
serveRequests()
