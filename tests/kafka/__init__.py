"""The engine rules, each by its ER number, against a real broker."""
