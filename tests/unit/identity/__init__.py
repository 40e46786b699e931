"""Tests of whom a record is about."""
