/** The tensor back ends that a job can ask for, best first. */
export const backendNames = ['tensorflow', 'webgpu', 'onnx', 'cpu'] as const
export type BackendName = (typeof backendNames)[number]
