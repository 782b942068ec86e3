/** The log of a run is read page by page, from its newest line backwards. */
export const logTimes = /* sql */ `
CREATE INDEX run_log_times ON run_log (run_id, time, id);
DROP INDEX run_log_runs;
`
