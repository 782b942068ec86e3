/** Which settings and metrics there are, and whether one has texts, without a look at every value. */
export const valueIndex = /* sql */ `
CREATE INDEX run_values_by_name ON run_values (name_id, value);
`
