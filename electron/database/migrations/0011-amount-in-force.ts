const others = `SELECT id FROM value_names WHERE name IN ('setting.budget', 'setting.targetFraction', 'setting.targetParameters')`
const ratio = `SELECT id FROM value_names WHERE name IN ('setting.ratio', 'setting.ratioOf')`

/** Of earlier runs that spent a budget, or removed a number of parameters, the ratio that was not in force is shown no more. */
export const amountInForce = /* sql */ `
CREATE TEMP TABLE said_otherwise AS
SELECT run_id FROM run_values WHERE name_id IN (${ratio})
INTERSECT SELECT run_id FROM run_values WHERE name_id IN (${others}) AND value IS NOT NULL;
DELETE FROM run_values WHERE name_id IN (${ratio}) AND run_id IN (SELECT run_id FROM said_otherwise);
UPDATE run_search SET settings = coalesce((
  SELECT group_concat(substr(name, 9) || ' ' || value, char(10))
  FROM run_values JOIN value_names ON value_names.id = name_id
  WHERE run_id = run_search.rowid AND name LIKE 'setting.%'
), '') WHERE rowid IN (SELECT run_id FROM said_otherwise);
DROP TABLE said_otherwise;
`
