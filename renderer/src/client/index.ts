export { call, connect, onEvent } from './client.ts'
export { connection } from './connection.svelte.ts'
export { asProblem, Problem } from './problem.ts'
export { Resource, resource, type ResourceOptions } from './resource.svelte.ts'
