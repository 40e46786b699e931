"""The projection: a read model over published metrics, in SQLite, that answers questions with values and knows no clock."""
