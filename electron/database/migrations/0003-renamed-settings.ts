/** Names that settings got in version 0.2, by those they had before; fixed, whatever they will be called later. */
const names: readonly (readonly [before: string, after: string])[] = [
  ['rows', 'batchSize'],
  ['length', 'sequenceLength'],
  ['accumulation', 'gradientAccumulation'],
  ['documents', 'maxDocuments'],
  ['warmUp', 'warmupRatio'],
  ['decay', 'learningRateSchedule'],
  ['clipNorm', 'maxGradientNorm'],
  ['projections', 'targetModules'],
  ['activations', 'gradientCheckpointing'],
  ['calibration', 'calibrationData'],
  ['calibrationRows', 'calibrationSamples'],
  ['calibrationLength', 'calibrationSequenceLength'],
  ['pruneWarmUp', 'pruneWarmup'],
  ['pruneCoolDown', 'pruneCooldown'],
  ['norm', 'magnitudeNorm'],
  ['weights', 'magnitudeWeights'],
  ['dtype', 'outputDtype'],
  ['evaluation.shots', 'evaluation.fewShot'],
  ['evaluation.windows', 'evaluation.maxWindows'],
  ['evaluation.rows', 'evaluation.predictions'],
  ['evaluation.promptTokens', 'evaluation.maxNewTokens'],
  ...['boolq', 'piqa', 'hellaswag', 'winogrande', 'arc_easy', 'arc_challenge', 'openbookqa'].map(
    (task) => [`evaluation.shotsFrom.${task}`, `evaluation.fewShotFrom.${task}`] as const,
  ),
]
const values = names.flatMap(([before, after]) =>
  ['setting.', 'setting.base.', 'setting.values.'].map((place) => `('${place}${before}', '${place}${after}')`),
)

/** Settings of earlier runs stand in the history, its columns and its search under their names of today. */
export const renamedSettings = /* sql */ `
CREATE TEMP TABLE renamed (before TEXT PRIMARY KEY, after TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO renamed VALUES ${values.join(', ')};
UPDATE value_names SET name = (SELECT after FROM renamed WHERE before = name) WHERE name IN (SELECT before FROM renamed);
UPDATE run_values SET value = CASE value WHEN 'keep' THEN 'off' ELSE 'on' END
WHERE value IN ('keep', 'recompute') AND name_id IN (
  SELECT id FROM value_names WHERE name IN ('setting.gradientCheckpointing', 'setting.base.gradientCheckpointing')
);
UPDATE settings SET value = (
  SELECT json_group_array(coalesce((SELECT after FROM renamed WHERE before = chosen.value), chosen.value) ORDER BY chosen.key)
  FROM json_each(settings.value) AS chosen
) WHERE name = 'historyColumns';
UPDATE run_search SET settings = coalesce((
  SELECT group_concat(substr(name, 9) || ' ' || value, char(10))
  FROM run_values JOIN value_names ON value_names.id = name_id
  WHERE run_id = run_search.rowid AND name LIKE 'setting.%'
), '');
DROP TABLE renamed;
`
