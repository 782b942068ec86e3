import { backendExtras } from './extras.ts'

export const weightHolder = () => backendExtras().weightHolder
