/**
 * Earlier runs get what newer ones have among their numbers: the mean accuracy of their tasks, and what later evaluations say
 * of the checkpoints that they made. How long a run took is known from its start and end alone. What was scored with an
 * adapter belongs to the adapter. The table of runs has indexes for folding.
 */
export const runsTable = /* sql */ `
UPDATE evaluations SET checkpoint_id = (
  SELECT c.id FROM runs r JOIN checkpoints c ON c.path = r.job ->> 'adapter' WHERE r.id = evaluations.run_id
) WHERE subject = 'result' AND run_id IN (SELECT id FROM runs WHERE kind = 'evaluate' AND job ->> 'adapter' IS NOT NULL);

INSERT OR IGNORE INTO run_values (run_id, name_id, value)
SELECT maker.id, v.name_id, v.value FROM evaluations e
JOIN runs maker ON maker.output_id = e.checkpoint_id AND maker.id <> e.run_id
JOIN runs r ON r.id = e.run_id AND r.kind = 'evaluate' AND r.removed IS NULL
JOIN run_values v ON v.run_id = r.id
JOIN value_names n ON n.id = v.name_id
WHERE e.subject = 'result' AND (
  n.name LIKE 'metric.%.acc' OR n.name LIKE 'metric.%.accNorm' OR n.name LIKE 'metric.perplexity.%'
  OR n.name LIKE 'metric.images.%' OR n.name LIKE 'metric.%TokensPerSecond'
) AND n.name NOT LIKE 'metric.dense.%'
ORDER BY e.finished DESC;

INSERT OR IGNORE INTO value_names (name) VALUES ('metric.meanAccuracy'), ('metric.dense.meanAccuracy');
INSERT INTO run_values (run_id, name_id, value)
SELECT v.run_id, mean.id, avg(v.value) FROM run_values v
JOIN value_names n ON n.id = v.name_id AND n.name LIKE 'metric.%.acc'
JOIN value_names mean ON mean.name = CASE WHEN n.name LIKE 'metric.dense.%' THEN 'metric.dense.meanAccuracy' ELSE 'metric.meanAccuracy' END
GROUP BY v.run_id, mean.id;

-- What the table of runs is filtered, ordered and folded by, without a look at the runs themselves.
CREATE INDEX run_table ON runs (removed, archived, created, kind, parent_id);
CREATE INDEX run_kinds ON runs (kind, removed);

DELETE FROM run_values WHERE name_id IN (SELECT id FROM value_names WHERE name = 'metric.seconds');
DELETE FROM value_names WHERE name = 'metric.seconds';
UPDATE settings SET value = (
  SELECT json_group_array(value ORDER BY place) FROM (
    SELECT CASE value WHEN 'metric.seconds' THEN 'duration' ELSE value END AS value, min(key) AS place
    FROM json_each(settings.value) GROUP BY 1
  )
) WHERE name = 'historyColumns';
`
