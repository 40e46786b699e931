"""Drives the topology on Kafka, exactly once. Start reading at `worker.py`; `engine-rules.md` gives every ER number its reason."""
