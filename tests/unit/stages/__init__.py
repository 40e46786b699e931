"""Tests of the fold: one subject, one funnel, what its path must be."""
