"""Benchmarks: figures with the method beside them, never timed tests."""
