"""Drives the topology on Kafka, exactly once. Start reading at `loop.py`; an ER number names an engine rule."""
