"""Whole data sets, from the first record to the published result."""
