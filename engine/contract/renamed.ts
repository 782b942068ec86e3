/** A setting that had another name, and maybe other names of its values. */
interface RenamedSetting {
  from: string
  to: string
  values?: Readonly<Record<string, string>>
}

/**
 * Settings whose names changed in version 0.2. For one version the old names are understood wherever the new ones are:
 * as flags, in job files and sweeps, in run.json of old run folders and in the jobs of the app's database. An old name
 * stands for a new one only where a schema has the latter.
 */
export const renamedSettings: readonly RenamedSetting[] = [
  { from: 'rows', to: 'batchSize' },
  { from: 'length', to: 'sequenceLength' },
  { from: 'accumulation', to: 'gradientAccumulation' },
  { from: 'documents', to: 'maxDocuments' },
  { from: 'warmUp', to: 'warmupRatio' },
  { from: 'decay', to: 'learningRateSchedule' },
  { from: 'clipNorm', to: 'maxGradientNorm' },
  { from: 'projections', to: 'targetModules' },
  { from: 'activations', to: 'gradientCheckpointing', values: { keep: 'off', recompute: 'on' } },
  { from: 'calibration', to: 'calibrationData' },
  { from: 'calibrationRows', to: 'calibrationSamples' },
  { from: 'calibrationLength', to: 'calibrationSequenceLength' },
  { from: 'pruneWarmUp', to: 'pruneWarmup' },
  { from: 'pruneCoolDown', to: 'pruneCooldown' },
  { from: 'norm', to: 'magnitudeNorm' },
  { from: 'weights', to: 'magnitudeWeights' },
  { from: 'dtype', to: 'outputDtype' },
  { from: 'shots', to: 'fewShot' },
  { from: 'shotsFrom', to: 'fewShotFrom' },
  { from: 'windows', to: 'maxWindows' },
  { from: 'rows', to: 'predictions' },
  { from: 'promptTokens', to: 'maxNewTokens' },
  { from: 'tokens', to: 'maxNewTokens' },
]

/** Is told of a setting that no schema would find wrong: it is given by its old name and by its new one, say. */
export type OnProblem = (path: readonly string[], message: string) => void

type Settings = Readonly<Record<string, unknown>>
const isSettings = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Names of an encoder's linear layers in transformers 4. */
const encoderNames: Readonly<Record<string, string>> = { query: 'q', key: 'k', value: 'v' }

/** Linear layers by our names; PEFT's (`q_proj`, `query`) mean the same. */
const ownNames = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(ownNames)
    : typeof value === 'string'
      ? (encoderNames[value] ?? value.replace(/_proj$/, ''))
      : value

/** The settings of a schema's shape that had other names. */
export const renamedIn = (shape: object): RenamedSetting[] =>
  renamedSettings.filter(({ from, to }) => Object.hasOwn(shape, to) && !Object.hasOwn(shape, from))

/** Settings under their names of today, in the order in which they stand. Whatever is no object is left as it is. */
export function renameSettings<Value>(settings: Value, shape: object, onProblem: OnProblem): Value {
  return renamed(settings, shape, onProblem, (setting, value) => setting.values?.[String(value)] ?? value)
}

/** Lists of values by setting, under the settings' names of today. */
export function renameLists<Value>(lists: Value, shape: object, onProblem: OnProblem): Value {
  return renamed(lists, shape, onProblem, ({ values }, list) =>
    Array.isArray(list) ? list.map((value: unknown) => values?.[String(value)] ?? value) : list,
  )
}

function renamed<Value>(
  settings: Value,
  shape: object,
  onProblem: OnProblem,
  valueOf: (setting: RenamedSetting, value: unknown) => unknown,
): Value {
  if (!isSettings(settings)) return settings
  const byOldName = new Map(renamedIn(shape).map((setting) => [setting.from, setting]))
  const entries = Object.entries(settings).map(([name, value]): [string, unknown] => {
    const setting = byOldName.get(name)
    if (setting && Object.hasOwn(settings, setting.to))
      onProblem([setting.to], `is given twice: ${name} is its name of earlier versions; leave that out`)
    const [today, known] = setting ? [setting.to, valueOf(setting, value)] : [name, value]
    return [today, today === 'targetModules' ? ownNames(known) : known]
  })
  return Object.fromEntries(entries) as Value
}
