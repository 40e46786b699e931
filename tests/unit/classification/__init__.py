"""Tests of predicates and of what counts as a conversion."""
