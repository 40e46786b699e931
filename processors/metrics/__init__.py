"""Metrics: numbers read from what was published."""
