/** Settings that name files or folders, wherever in a job they stand: those that are read, and those that are written. */
const read = new Set(['checkpoint', 'adapter', 'data', 'calibrationData', 'tasks', 'perplexity', 'fewShotFrom'])
const written = new Set(['out', 'predictions'])

export interface JobPath {
  /** Where in the job it stands, as `evaluation.tasks.piqa`. */
  field: string
  path: string
  use: 'read' | 'written'
}

/** Every path that a job reads or writes, also in the settings that the runs of a sweep share or vary. */
export function pathsOfJob(job: object): JobPath[] {
  const found: JobPath[] = []
  const visit = (value: unknown, field: string, use: JobPath['use'] | null): void => {
    if (typeof value === 'string') {
      if (use) found.push({ field, path: value, use })
    } else if (Array.isArray(value)) {
      // Lists of paths go by the name of their setting.
      for (const part of value) visit(part, field, use)
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, part] of Object.entries(value))
        visit(
          part,
          field ? `${field}.${name}` : name,
          use ?? (read.has(name) ? 'read' : written.has(name) ? 'written' : null),
        )
    }
  }
  visit(job, '', null)
  return found
}
