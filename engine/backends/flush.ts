export { flushBackend } from './extras.ts'
