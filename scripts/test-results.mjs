/** A reporter of node:test that writes how many tests passed, failed and were skipped, and how long each file took, as JSON. */
export default async function* totals(source) {
  const files = []
  for await (const { type, data } of source) {
    if (type !== 'test:summary') continue
    if (data.file !== undefined) {
      files.push({ file: data.file, seconds: data.duration_ms / 1000 })
      continue
    }
    const { passed, failed, cancelled, skipped, todo } = data.counts
    yield JSON.stringify({ passed, failed: failed + cancelled, skipped: skipped + todo, files })
  }
}
