"""The topology: `ingest` and `advance` as functions of (record, state) to effects; all that an engine must drive."""
