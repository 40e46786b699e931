"""Classification: which conversions an event is, decided by predicates that are compiled once from the definitions."""
