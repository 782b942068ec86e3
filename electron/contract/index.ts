import type { z } from 'zod'
import { appMethods } from './app.ts'
import type { MethodTable } from './common.ts'
import { clusterMethods } from './clusters.ts'
import { compareMethods } from './compare.ts'
import { coordinateMethods } from './coordinates.ts'
import { datasetMethods } from './datasets.ts'
import { historyMethods } from './history.ts'
import { imageMethods } from './images.ts'
import { libraryFolderMethods } from './library-folders.ts'
import { libraryMethods } from './library.ts'
import { playgroundMethods } from './playground.ts'
import { predictionMethods } from './predictions.ts'
import { runMethods } from './runs.ts'
import { sampleMethods } from './samples.ts'
import { speedMethods } from './speeds.ts'

/**
 * Contract A: what the renderer may ask of the main side, and what the main side tells it. Both hosts carry exactly these
 * messages; every one is parsed with these schemas where it arrives.
 */

export * from './app.ts'
export * from './channel.ts'
export * from './clusters.ts'
export * from './common.ts'
export * from './compare.ts'
export * from './connection.ts'
export * from './coordinates.ts'
export * from './datasets.ts'
export * from './events.ts'
export * from './history.ts'
export * from './images.ts'
export * from './library-folders.ts'
export * from './library.ts'
export * from './playground.ts'
export * from './predictions.ts'
export * from './run-records.ts'
export * from './runs.ts'
export * from './samples.ts'
export * from './speeds.ts'
/** What jobs are made of: the renderer builds its forms from these. */
export * as engine from '../../engine/contract/index.ts'

/** Requests: [what is asked, what is answered]. */
export const methods = {
  ...appMethods,
  ...libraryMethods,
  ...libraryFolderMethods,
  ...datasetMethods,
  ...sampleMethods,
  ...runMethods,
  ...clusterMethods,
  ...historyMethods,
  ...coordinateMethods,
  ...compareMethods,
  ...imageMethods,
  ...predictionMethods,
  ...playgroundMethods,
  ...speedMethods,
} as const satisfies MethodTable

export type Methods = typeof methods
export type Method = keyof Methods
export type Request<M extends Method> = z.input<Methods[M][0]>
/** A request as the service sees it: defaults filled in. */
export type ParsedRequest<M extends Method> = z.output<Methods[M][0]>
export type Answer<M extends Method> = z.output<Methods[M][1]>
