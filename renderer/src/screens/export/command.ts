import { engine } from '../../../../electron/contract/index.ts'

/** The command line that does what a job does: settings that stand at their default are left out. */
export function exportCommand(job: engine.ExportJob, platform: string): string {
  const { kind, format, checkpoint, out, ...settings } = job
  const defaults = engine.schemaOfFormat(format)!.parse({ kind, format, checkpoint, out }) as Record<string, unknown>
  const flags = Object.entries(settings).flatMap(([name, value]) => {
    if (value === undefined || value === defaults[name]) return []
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    return value === false ? [`--no-${flag}`] : [`--${flag}`, String(value)]
  })
  const words = ['npx', 'secateur', 'export', checkpoint, '--format', format, ...flags, '--out', out]
  return words.map((word) => quoted(word, platform)).join(' ')
}

/** A word as the shell of a system reads it. */
function quoted(word: string, platform: string): string {
  if (platform === 'win32') return /^[\w.:\\/+=,-]+$/.test(word) ? word : `"${word}"`
  return /^[\w.:/@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
