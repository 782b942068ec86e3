/**
 * To be called before ONNX Runtime starts. Its published builds for Linux and macOS keep an identifier of the device in the
 * user's cache folder and send names and hashes of models, errors and times to Microsoft from version 1.29 on, unless this
 * variable stands in the environment by then (microsoft/onnxruntime, pull request 27379). Secateur sends nothing to anyone.
 */
export function refuseTelemetry(): void {
  process.env['ORT_DISABLE_TELEMETRY'] = '1'
}
