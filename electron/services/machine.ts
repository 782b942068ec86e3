import type { ServiceParams } from '../../engine/contract/index.ts'
import type { Settings } from '../contract/index.ts'

/** What computes, as the settings say. The engine refuses a device that it does not know. */
export const machineOf = ({ device, threads }: Settings): Pick<ServiceParams<'loadModel'>, 'device' | 'threads'> => ({
  device: device as ServiceParams<'loadModel'>['device'],
  ...(threads === undefined ? {} : { threads }),
})
