"""Definitions and configuration as people write them: read with their places, checked whole, refused in sentences."""
