import { failureText, loadAddon, startedOn } from './addon.ts'
import type { Probed } from './probe.ts'

// Starts the library that is named, says what it computes on, and waits for its end. It loads nothing else: what the process of a
// model reads and writes with takes longer to load than all of llama.cpp.

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

let said = ''
try {
  const on = startedOn(await loadAddon(process.argv[2]!, (message) => (said += message)))
  tell({ on })
} catch (error) {
  tell({ error: await failureText(error, () => said) })
}

function tell(probed: Probed): void {
  process.send?.(probed, undefined, undefined, () => {})
}
