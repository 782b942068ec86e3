import { resolve } from 'node:path'
import { changePaths, isReachedOverSsh } from '../contract/index.ts'

/**
 * The same job with paths that mean the same from every folder, each spelt in one way. Those of a job that a cluster does
 * which is reached over ssh are paths there, and stay as they were said.
 */
export const withAbsolutePaths = <Given extends object>(job: Given): Given =>
  isReachedOverSsh(job) ? job : changePaths(job, ({ path }) => resolve(path))
