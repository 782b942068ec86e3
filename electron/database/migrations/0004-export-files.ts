/**
 * A run has a folder of its own, but the file of an export may be written again where an earlier one was cancelled, or its
 * file was deleted.
 */
export const exportFiles = /* sql */ `
DROP INDEX run_folders;
CREATE UNIQUE INDEX run_folders ON runs (folder) WHERE kind <> 'export';
CREATE INDEX run_places ON runs (folder);
`
