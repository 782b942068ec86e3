import type { KeptFiles } from '../contract/index.ts'
import { tellOfKeptFiles } from '../llama-cpp/kept-files.ts'
import type { KeptSettings } from './settings.ts'

/** Files that are kept for llama.cpp, or were until now. */
export interface KeptResult extends KeptFiles {
  type: 'result'
  removed: boolean
}

/** Tells of the files that are kept for llama.cpp, and removes them where that is asked for. */
export const listKeptFiles = ({ remove }: KeptSettings): KeptResult => ({
  type: 'result',
  ...tellOfKeptFiles({ remove }),
  removed: remove,
})
