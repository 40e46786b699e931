"""Tests of ingest and advance as functions of a record and the state."""
