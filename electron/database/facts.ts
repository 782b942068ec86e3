/** Facts of a run that the history shows, as they are read from a row `r` of runs. */
export const facts = {
  name: 'r.name',
  kind: 'r.kind',
  state: 'r.state',
  checkpoint: 'r.checkpoint_name',
  device: 'r.device',
  created: 'r.created',
  started: 'r.started',
  finished: 'r.finished',
  // What a run says itself is without the time that it was paused.
  duration: "coalesce(json_extract(r.result, '$.seconds'), (r.finished - r.started) / 1000.0)",
  notes: 'r.notes',
  folder: 'r.folder',
  reason: 'r.reason',
  tags: "(SELECT group_concat(tag, ', ') FROM (SELECT tag FROM run_tags WHERE run_id = r.id ORDER BY tag))",
} as const
