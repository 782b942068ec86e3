/** Hands a file that was made here to the browser to keep. */
export function download(name: string, content: Blob | string, type = 'text/plain'): void {
  const url = URL.createObjectURL(typeof content === 'string' ? new Blob([content], { type }) : content)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The download reads from it for a while.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
