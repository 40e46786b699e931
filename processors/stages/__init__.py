"""Stages: from the facts of one subject to its timeline, and from two timelines to what must be published."""
