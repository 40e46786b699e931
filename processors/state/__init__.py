"""The rows behind each facts partition: on disk, in memory, and as one open transaction sees them."""
