import { backendExtras } from './extras.ts'

export const logitsAtOnce = () => backendExtras().logitsAtOnce
