import { serveRequests } from './service/serve.ts'

serveRequests()
