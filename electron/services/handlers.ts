import type { Answer, Method, ParsedRequest } from '../contract/index.ts'

/** What answers one request of contract A, and what answers several, by their names. */
export type Handler<M extends Method> = (input: ParsedRequest<M>) => Answer<M> | Promise<Answer<M>>
export type Handlers<M extends Method = Method> = { [K in M]: Handler<K> }
