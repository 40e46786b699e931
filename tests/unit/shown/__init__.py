"""The commands, called in process."""
