"""Simulation: the same topology without Kafka, driven deterministically."""
