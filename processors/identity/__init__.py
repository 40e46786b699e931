"""Identity: which entity a record is about."""
